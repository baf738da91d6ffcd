//! In which tenant a sign-in acts: one of the person's own, one at a time.

use coditect_core::{Kind, LoginId, TenantId};
use coditect_registry::operation::{ActIn, EndLogin, OpenLogin, RotateRefresh, Rotation};

use crate::{
    members::{join, remove, restore},
    support::{World, at},
};

#[tokio::test]
async fn a_sign_in_acts_where_its_person_is_a_member() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let eve = world.sign_up("eve@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let login = LoginId::random();
    let open = OpenLogin {
        account: bob.account,
        login,
        credential_of: None,
        from: None,
        at: at(22),
    };
    world.done(&open).await;
    let act = |tenant: TenantId| ActIn {
        account: bob.account,
        login,
        tenant,
        at: at(40),
    };
    let acts = async || {
        let mut view = world.view().await;
        let login = view.login(bob.account, login, at(41)).await.unwrap();
        login.unwrap().tenant
    };
    assert_eq!(acts().await, None);
    assert_eq!(world.done(&act(ada.tenant)).await, bob.user);
    assert_eq!(acts().await, Some(ada.tenant));
    assert_eq!(world.refused(&act(eve.tenant)).await, Kind::NotFound);

    // A refreshed sign-in stays where it is.
    let rotate = RotateRefresh {
        account: bob.account,
        login,
        counter: 0,
        at: at(40),
    };
    assert_eq!(world.done(&rotate).await, Rotation::Current(1));
    assert_eq!(acts().await, Some(ada.tenant));

    world.done(&remove(&ada, &bob)).await;
    assert_eq!(world.refused(&act(ada.tenant)).await, Kind::Conflict);
    world.done(&restore(&ada, &bob)).await;
    world.done(&act(ada.tenant)).await;

    let end = EndLogin {
        account: bob.account,
        login,
        at: at(42),
    };
    world.done(&end).await;
    assert_eq!(world.refused(&act(ada.tenant)).await, Kind::Unauthenticated);
}

#[tokio::test]
async fn an_audit_is_read_backwards_by_pages() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    join(&world, &ada, "bob@example.com").await;
    join(&world, &ada, "eve@example.com").await;
    let mut view = world.view().await;
    let all = view.audit(ada.tenant, 100).await.unwrap();
    let (mut paged, mut before) = (Vec::new(), None);
    loop {
        let page = view.audit_before(ada.tenant, before, 2).await.unwrap();
        let Some((place, _)) = page.last() else {
            break;
        };
        before = Some(*place);
        assert!(page.len() <= 2);
        paged.extend(page.into_iter().map(|(_, entry)| entry));
    }
    assert_eq!(paged, all);
    assert!(paged.len() >= 5, "{paged:?}");
}
