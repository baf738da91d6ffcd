//! Made-up users, rendered before a policy or a release is used.

use coditect_core::{
    Error, PlanName, Result, Shard, Slug, Standing, TenantId, UserId, UserIntent, WorkspaceId,
    WorkspaceIntent,
};

use super::Renderer;
use crate::policy::{Org, Ring};

/// What a made-up user is and how many workspaces it has.
const USERS: [(Standing, u8); 4] = [
    (Standing::Active, 0),
    (Standing::Active, 2),
    (Standing::Suspended, 1),
    (Standing::Marked, 1),
];

impl Renderer {
    /// Renders a made-up user for every plan and every distinct override, in every cell and ring, with
    /// zero to two workspaces and in every standing, so that a release or policy that cannot render is
    /// refused before it is used.
    ///
    /// # Errors
    /// The first failure, as [`Renderer::render`].
    pub fn probe(&self) -> Result<()> {
        self.probe_each(&mut Err)
    }

    /// A ring of every kind: templates only place its name.
    fn rings(&self) -> Vec<&Ring> {
        let mut kinds: Vec<&Ring> = Vec::new();
        for ring in self.policy.rings() {
            let alike =
                |known: &&Ring| (&known.release, &known.images) == (&ring.release, &ring.images);
            if !kinds.iter().any(alike) {
                kinds.push(ring);
            }
        }
        kinds
    }

    /// The same; `failed` is called with each failure, and says whether to go on.
    pub(crate) fn probe_each(&self, failed: &mut dyn FnMut(Error) -> Result<()>) -> Result<()> {
        let slug: Slug = "probe".parse()?;
        for (tenant, plan) in self.tenants() {
            for ring in self.rings() {
                for (cell_name, cell) in self.policy.cells() {
                    for (standing, count) in USERS {
                        let classes = cell.storage_classes.iter().cycle();
                        let workspace =
                            |(index, class): (u8, &crate::policy::StorageClass)| WorkspaceIntent {
                                id: WorkspaceId::from_bytes([index; 16]),
                                slug: slug.clone(),
                                storage_gib: 1,
                                storage_class: class.name.clone(),
                                standing: if index == 0 {
                                    Standing::Active
                                } else {
                                    Standing::Marked
                                },
                            };
                        let user = UserId::from_bytes([0; 16]);
                        let rendered = self.render(&UserIntent {
                            user,
                            tenant,
                            cell: cell_name.clone(),
                            shard: Shard::of(user),
                            generation: 1,
                            plan: plan.clone(),
                            ring: Some(ring.name.clone()),
                            standing,
                            workspaces: (0..count).zip(classes).map(workspace).collect(),
                        });
                        rendered.map(drop).or_else(&mut *failed)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A tenant without an override for every plan, and one tenant for every distinct override.
    fn tenants(&self) -> Vec<(TenantId, &PlanName)> {
        let nobody = TenantId::from_bytes([0; 16]);
        let mut tenants: Vec<_> = self
            .policy
            .plans()
            .keys()
            .map(|plan| (nobody, plan))
            .collect();
        let mut seen: Vec<Org> = Vec::new();
        for (tenant, org) in self.policy.orgs() {
            // What does not show in manifests does not tell overrides apart.
            let org = Org {
                ring: None,
                storage_class: None,
                ..org.clone()
            };
            if !seen.contains(&org) {
                seen.push(org);
                tenants.push((*tenant, &self.policy.defaults().plan));
            }
        }
        tenants
    }
}
