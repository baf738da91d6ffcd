//! Users whose files the cluster refuses.

use coditect_core::{Cause, Reason};
use coditect_registry::{
    operation::{LiftQuarantine, PutQuarantine, ResolveQuarantine},
    record::Action,
};

use crate::{
    observer::local,
    support::{World, at},
};
#[tokio::test]
async fn quarantine_is_announced_when_it_begins_and_when_it_ends() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let generation = world.generation(ada.user).await;
    let put = |generation, commit: &str| PutQuarantine {
        cell: local(),
        user: ada.user,
        generation,
        commit: commit.into(),
        reason: Reason::new(Cause::Admission, "denied: privileged"),
        at: at(5),
    };
    let resolve = |commit: &str| ResolveQuarantine {
        cell: local(),
        user: ada.user,
        commit: commit.into(),
        refused: "blob-of-the-refused".into(),
        stands: Some("blob-of-the-last-good".into()),
        at: at(6),
    };
    let lift = LiftQuarantine {
        cell: local(),
        user: ada.user,
        at: at(7),
    };
    let mut seen = world.version().await;
    let mut announced = async || {
        let mut view = world.registry.view().await.unwrap();
        let changes = view.changes_after(&local(), seen, 10).await.unwrap();
        seen = changes.until;
        changes.users.contains(&ada.user)
    };
    let known = async || {
        let mut view = world.registry.view().await.unwrap();
        let runtime = view.runtime(&local(), ada.user).await.unwrap().unwrap();
        let all = view.quarantines(&local()).await.unwrap();
        assert_eq!(all.get(&ada.user), runtime.quarantine.as_ref());
        runtime.quarantine
    };

    assert!(!world.apply(&put(generation + 1, "c1")).await);
    assert!(!world.apply(&lift).await && !world.apply(&resolve("c1")).await);
    assert!(!announced().await && known().await.is_none());

    assert!(world.apply(&put(generation, "c1")).await);
    assert!(announced().await);
    assert!(world.apply(&resolve("c1")).await);
    assert!(!announced().await, "the renderer itself says it");
    assert!(world.apply(&put(generation, "c1")).await);
    assert!(!announced().await, "the same refusal, told again");
    let stands = known().await.unwrap();
    assert_eq!(
        (stands.refused.as_deref(), stands.stands.as_deref()),
        (Some("blob-of-the-refused"), Some("blob-of-the-last-good"))
    );

    assert!(world.apply(&put(generation, "c2")).await);
    assert!(announced().await, "what stood in its place is refused too");
    assert!(
        !world.apply(&resolve("c1")).await,
        "an answer to the refusal before"
    );
    assert_eq!(known().await.unwrap().refused, None);
    assert!(world.apply(&lift).await);
    assert!(announced().await && known().await.is_none());
    assert!(!world.apply(&lift).await);
    assert!(!announced().await);
    let actions = world.actions(&ada).await;
    assert_eq!(
        actions[..3],
        [
            Action::QuarantineLifted { user: ada.user },
            Action::UserQuarantined {
                user: ada.user,
                generation
            },
            Action::UserQuarantined {
                user: ada.user,
                generation
            },
        ]
    );
}
