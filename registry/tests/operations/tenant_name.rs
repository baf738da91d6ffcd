//! What a tenant is called.

use coditect_core::Kind;
use coditect_registry::operation::{NameTenant, Provisioned};

use crate::{
    members::join,
    support::{World, at},
};

fn name(by: &Provisioned, tenant: &Provisioned, name: Option<&str>) -> NameTenant {
    NameTenant {
        by: by.account,
        tenant: tenant.tenant,
        name: name.map(|name| name.parse().unwrap()),
        at: at(30),
    }
}

#[tokio::test]
async fn whoever_manages_a_tenant_names_it_and_its_members_see_that() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = join(&world, &ada, "bob@example.com").await;
    let eve = world.sign_up("eve@example.com").await;
    let called = async || {
        let tenant = world.view().await.tenant(ada.tenant).await.unwrap();
        tenant.unwrap().name.map(|name| name.to_string())
    };
    world.done(&name(&ada, &ada, Some("Physics"))).await;
    assert_eq!(called().await.as_deref(), Some("Physics"));
    for (by, kind) in [(&bob, Kind::Forbidden), (&eve, Kind::NotFound)] {
        let refused = world.once(&name(by, &ada, Some("Mine"))).await.unwrap_err();
        assert_eq!(*refused.kind(), kind);
    }
    assert_eq!(called().await.as_deref(), Some("Physics"));
    world.done(&name(&ada, &ada, None)).await;
    assert_eq!(called().await, None);
}
