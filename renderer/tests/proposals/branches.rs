//! A repository whose branches are all there is.

use coditect_registry::record::ApprovalState;
use coditect_renderer::proposals::{branch_of, path_of};

use crate::review::Review;

#[tokio::test]
async fn a_merged_branch_approves_and_goes() {
    let review = Review::new().await;
    let branch = branch_of(review.waits.change);
    let proposed = ApprovalState::Proposed {
        branch: branch.clone(),
        url: None,
    };
    assert_eq!(review.settle().await, proposed);
    assert_eq!(review.branches(), 1);
    let theirs = format!("origin/{branch}");
    review.reviewer(&["merge", "-q", "--no-ff", "-m", "approved", &theirs]);
    review.reviewer(&["push", "-q", "origin", "HEAD:main"]);
    assert_eq!(review.settle().await.word(), "approved");
    assert_eq!(review.branches(), 0);
    let remote = review.remote("look");
    let main = remote.look().await.unwrap().main;
    let file = remote.file(main, path_of(review.waits.change)).await;
    assert!(file.unwrap().is_some());
}

#[tokio::test]
async fn a_deleted_branch_declines_and_is_not_made_again() {
    let review = Review::new().await;
    let branch = branch_of(review.waits.change);
    review.settle().await;
    review.reviewer(&["push", "-q", "origin", "--delete", &branch]);
    assert_eq!(review.settle().await.word(), "rejected");
    assert_eq!(review.branches(), 0);
}

#[tokio::test]
async fn who_wants_something_else_is_not_asked_about_any_more() {
    let review = Review::new().await;
    review.settle().await;
    review.wants_something_else().await;
    assert_eq!(review.settle().await, ApprovalState::Overtaken);
    assert_eq!(review.branches(), 0);
}
