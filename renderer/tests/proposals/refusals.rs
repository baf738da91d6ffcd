//! What GitHub refuses, how that is said, and that the token is not.

use std::fs;

use coditect_renderer::proposals::github::Github;

use crate::{
    github::Hosted,
    stand_in::{Fault, TOKEN},
};

fn answer(status: u16, headers: &[(&'static str, &str)], said: &'static str) -> Fault {
    let headers = headers
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    Fault::Answer(status, headers.collect(), said)
}

/// What a pass says that fails, after everything was put before people.
async fn failure(hosted: &Hosted) -> String {
    let passed = hosted.pass(&hosted.pages()).await;
    let error = passed.failed.expect("it fails");
    let said = format!("{error} {error:?} {}", error.chain());
    assert!(!said.contains(TOKEN), "{said}");
    said
}

#[tokio::test]
async fn every_refusal_says_what_to_do() {
    let hosted = Hosted::new().await;
    hosted.settle().await;
    for (fault, says) in [
        (
            answer(
                403,
                &[],
                r#"{"message":"Resource not accessible by personal access token"}"#,
            ),
            "not accessible by personal access token): give it read and write access",
        ),
        (
            answer(404, &[], r#"{"message":"Not Found"}"#),
            "check --policy-host-repository",
        ),
        (
            answer(
                301,
                &[("location", "http://elsewhere.example/")],
                r#"{"message":"Moved Permanently"}"#,
            ),
            "set --policy-host-repository",
        ),
        (
            answer(500, &[], "<html>\u{7}"),
            "500 <html>); it is asked again",
        ),
        (answer(200, &[], "{}"), "check --policy-host-api"),
        (Fault::CutAfter, "GitHub does not answer ("),
        (Fault::CutWithin, "was cut off"),
    ] {
        hosted.github.fails(0, fault);
        let said = failure(&hosted).await;
        assert!(said.contains(says), "{says:?} is not in {said}");
        let passed = hosted.pass(&hosted.pages()).await;
        assert!(passed.failed.is_none(), "{passed:?}");
    }
    hosted.github.with(|state| state.tokens.clear());
    let said = failure(&hosted).await;
    assert!(said.contains("write a new one into it"), "{said}");
    assert!(said.contains("Bad credentials: …"), "{said}");
}

#[tokio::test]
async fn a_reached_limit_is_waited_for_without_asking() {
    let now = jiff::Timestamp::now().as_second();
    let (later, before) = ((now + 1_800).to_string(), (now - 5).to_string());
    let used_up = |reset: &str| {
        [
            ("x-ratelimit-remaining", "0".to_owned()),
            ("x-ratelimit-reset", reset.to_owned()),
        ]
    };
    for (status, headers, said) in [
        (
            403,
            used_up(&later).to_vec(),
            r#"{"message":"API rate limit exceeded"}"#,
        ),
        (429, vec![("retry-after", "90".to_owned())], "{}"),
        (
            403,
            Vec::new(),
            r#"{"message":"You have exceeded a secondary rate limit."}"#,
        ),
        // What was asked is answered, and it was the last.
        (200, used_up(&later).to_vec(), "[]"),
    ] {
        let hosted = Hosted::new().await;
        hosted.settle().await;
        let pages = hosted.pages();
        hosted.github.fails(0, Fault::Answer(status, headers, said));
        let mut first = hosted.pass(&pages).await;
        if status == 200 {
            first = hosted.pass(&pages).await;
        }
        let why = first.failed.unwrap().to_string();
        assert!(why.contains("asks to be left alone for another "), "{why}");
        let asked = hosted.github.requests();
        assert!(hosted.pass(&pages).await.failed.is_some());
        assert_eq!(hosted.github.requests(), asked, "asked nevertheless");
    }

    let hosted = Hosted::new().await;
    hosted.settle().await;
    let pages = hosted.pages();
    hosted
        .github
        .fails(0, Fault::Answer(403, used_up(&before).to_vec(), "{}"));
    assert!(hosted.pass(&pages).await.failed.is_some());
    let passed = hosted.pass(&pages).await;
    assert!(passed.failed.is_none(), "its time is over: {passed:?}");
}

#[tokio::test]
async fn a_branch_that_github_will_not_open_holds_up_nobody_and_is_said() {
    let hosted = Hosted::new().await;
    let refused = answer(
        422,
        &[],
        r#"{"message":"Validation Failed","errors":[{"message":"No commits between main and it"}]}"#,
    );
    let pages = hosted.pages();
    assert_eq!(hosted.pass(&pages).await.steps, 1, "the branch");
    // The list, the search, and then it is opened.
    hosted.github.fails(2, refused);
    let passed = hosted.pass(&pages).await;
    let why = passed.failed.unwrap().to_string();
    assert!(
        why.contains("422 Validation Failed: No commits between main and it"),
        "{why}"
    );
    hosted.settle().await;
    assert!(hosted.github.pull().open);
}

#[tokio::test]
async fn a_new_token_is_taken_without_a_new_start() {
    let hosted = Hosted::new().await;
    let pages = hosted.pages();
    let file = hosted.review.world.folder.path().join("token");
    fs::write(&file, "\n").unwrap();
    let why = hosted.pass(&pages).await.failed.unwrap().to_string();
    assert!(why.contains("is empty"), "{why}");
    fs::write(&file, "the next one\n").unwrap();
    hosted
        .github
        .with(|state| state.tokens = vec!["the next one".to_owned()]);
    assert!(hosted.pass(&pages).await.failed.is_none());
    fs::write(&file, "two\nlines").unwrap();
    let why = hosted.pass(&pages).await.failed.unwrap().to_string();
    assert!(
        why.contains("characters that no token has") && !why.contains("lines"),
        "{why}"
    );
    fs::remove_file(&file).unwrap();
    let why = hosted.pass(&pages).await.failed.unwrap().to_string();
    assert!(why.contains("cannot be read"), "{why}");
}

#[tokio::test]
async fn an_address_that_would_give_the_token_away_is_refused() {
    let hosted = Hosted::new().await;
    for (api, says) in [
        (
            "http://github.example/api/v3",
            "policy-host-api must begin with https://",
        ),
        ("https://me:secret@github.example", "must hold no user"),
        (
            "ftp://github.example",
            "must begin with https:// or http://",
        ),
        ("https://github.example/?a=b", "must have no query"),
        ("nowhere", "policy-host-api"),
    ] {
        let mut config = hosted.config();
        config.api = api.to_owned();
        let why = Github::new(&config).map(drop).unwrap_err().to_string();
        let says = says.replace("must hold no user", "must name a host and hold no user");
        assert!(why.contains(&says), "{why}");
    }
    for repository in [
        "acme",
        "acme/",
        "/policy",
        "acme/a/b",
        "acme/po licy",
        "../x",
    ] {
        let mut config = hosted.config();
        config.repository = repository.to_owned();
        let why = Github::new(&config).map(drop).unwrap_err().to_string();
        assert!(why.contains("OWNER/NAME"), "{repository}: {why}");
    }
}
