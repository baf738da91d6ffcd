//! What Git holds for a workspace: told by whoever reads it, to its person alone.

use std::sync::Arc;

use coditect_api::{CommittedChange, Manifest, Manifests, Repositories};
use coditect_core::{CellName, Error, Result, UserId, WorkspaceId};
use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use serde_json::json;

use crate::harness::App;

/// A repository that holds one commit, whoever asks.
struct OneCommit;

const COMMIT: &str = "3f786850e387550fdab836ed7e6dc881de23001b";

impl Repositories for OneCommit {
    fn history(
        &self,
        cell: CellName,
        user: UserId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Option<Vec<CommittedChange>>>> {
        async move {
            assert_eq!(limit, 50);
            Ok((cell.as_str() == "local").then(|| {
                vec![CommittedChange {
                    commit: COMMIT.to_owned(),
                    at: Timestamp::UNIX_EPOCH,
                    sentences: vec!["Storage 1 Gi → 10 Gi.".to_owned()],
                    diff: format!("+++ {user}"),
                }]
            }))
        }
        .boxed()
    }

    fn manifests(
        &self,
        _: CellName,
        user: UserId,
        workspace: WorkspaceId,
        commit: Option<String>,
    ) -> BoxFuture<'_, Result<Option<Manifests>>> {
        async move {
            if commit.is_some_and(|commit| commit != COMMIT) {
                return Err(Error::not_found("no such commit"));
            }
            Ok(Some(Manifests {
                commit: COMMIT.to_owned(),
                at: Timestamp::UNIX_EPOCH,
                path: format!("shards/00/{user}.yaml"),
                objects: vec![Manifest {
                    kind: "Service".to_owned(),
                    name: workspace.object_name(),
                    yaml: "kind: Service\n".to_owned(),
                }],
            }))
        }
        .boxed()
    }
}

#[tokio::test]
async fn a_person_reads_what_git_holds_of_theirs() {
    let app = App::start().await;
    let (ada, eve) = (
        app.person("ada@example.com").await,
        app.person("eve@example.com").await,
    );
    let path = app.workspace(&ada).await;
    let get = async |person, what: &str| {
        app.call(person, "GET", &format!("{path}/{what}"), None)
            .await
    };
    // An API that is not beside a renderer has nothing to read.
    get(&ada, "history")
        .await
        .expect_problem(404, "no-repository");
    get(&ada, "manifests")
        .await
        .expect_problem(404, "no-repository");

    app.state.read_git_by(Arc::new(OneCommit));
    let me = app.call(&ada, "GET", "/api/v5/me", None).await.json();
    let user = me["user_id"].as_str().unwrap();
    let history = get(&ada, "history").await.expect(200).json();
    assert_eq!(history["items"][0]["commit"], COMMIT);
    assert_eq!(history["items"][0]["diff"], format!("+++ {user}"));
    assert_eq!(
        history["items"][0]["sentences"],
        json!(["Storage 1 Gi → 10 Gi."])
    );
    for query in ["", &format!("?commit={COMMIT}")] {
        let held = get(&ada, &format!("manifests{query}"))
            .await
            .expect(200)
            .json();
        assert_eq!(held["path"], format!("shards/00/{user}.yaml"));
        assert_eq!(held["objects"][0]["kind"], "Service");
    }
    let other = "0".repeat(40);
    get(&ada, &format!("manifests?commit={other}"))
        .await
        .expect_problem(404, "not-found");
    for bad in ["HEAD", "..", &other[1..], &COMMIT.to_uppercase()] {
        get(&ada, &format!("manifests?commit={bad}"))
            .await
            .expect_problem(422, "invalid-input");
    }
    get(&eve, "history").await.expect_problem(404, "not-found");
    get(&eve, "manifests")
        .await
        .expect_problem(404, "not-found");
}
