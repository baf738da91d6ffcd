//! People in rings, and what the cluster has of them at one time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::PathBuf,
};

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{Namespace, PersistentVolumeClaim, Pod, Service},
};
use kube::{Api, Resource, ResourceExt, api::ListParams};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::super::{looks, policy::Edit};
use crate::{Failure, Person, Result, World, ensure, is_ready};

/// The rings, and below which number each ends.
pub(super) const RINGS: [(&str, u64); 3] =
    [("canary", 1_000), ("early", 4_000), ("everyone", 10_000)];
/// How many people there are.
const PEOPLE: usize = 20;
/// How many of them are in the canary by a reviewed decision: more than a restart lets fail, and a few to be spared.
const CHOSEN: usize = 8;

/// The people of the scenario.
pub(super) struct Fleet {
    pub(super) people: Vec<Person>,
    /// Users in a ring by a reviewed decision.
    chosen: BTreeMap<String, usize>,
}

/// What `rings.yaml` says.
pub(super) fn rings(releases: [&str; 3], images: Option<&str>) -> String {
    let mut text = "rings:\n".to_owned();
    for ((name, below), release) in RINGS.iter().zip(releases) {
        let _ = write!(
            text,
            "  - {{name: {name}, below: {below}, release: {release}, engine: 1"
        );
        if let (Some(tag), "canary") = (images, *name) {
            let _ = write!(
                text,
                ", images: {{ide: \"coditect/ide:{tag}\", gateway: \"coditect/gateway:0.1.0\"}}"
            );
        }
        text.push_str("}\n");
    }
    text
}

impl Fleet {
    /// Signs people up and waits until they are ready: some are in the first rings by a reviewed decision, the others
    /// where their numbers are.
    pub(super) async fn new(world: &World) -> Result<Self> {
        Edit::write(
            &world.product,
            "tenants/rings.yaml",
            &rings(["v1"; 3], None),
        )
        .await?;
        let api = &world.product.api();
        let people: Vec<Person> = stream::iter(0..PEOPLE)
            .map(async |number| api.sign_up(&format!("rollout-{number}@example.test")).await)
            .buffer_unordered(8)
            .try_collect()
            .await?;
        let chosen = people.iter().take(CHOSEN + 2).enumerate();
        let ring = |number| match number {
            ..CHOSEN => 0,
            CHOSEN => 1,
            _ => 2,
        };
        let chosen: Vec<(&Person, usize)> = chosen
            .map(|(number, person)| (person, ring(number)))
            .collect();
        let decided = chosen.iter().map(|(person, ring)| {
            let file = format!("tenants/orgs/{}.yaml", person.tenant);
            (PathBuf::from(file), format!("ring: {}\n", RINGS[*ring].0))
        });
        Edit::write_all(&world.product, decided).await?;
        let chosen = chosen
            .iter()
            .map(|(person, ring)| (person.user.clone(), *ring))
            .collect();
        for person in &people {
            looks::phase(person, "ready").await?;
        }
        Ok(Self { people, chosen })
    }

    /// A person's ring.
    pub(super) fn ring(&self, person: &Person) -> usize {
        self.chosen.get(&person.user).copied().unwrap_or_else(|| {
            let number = number(&person.user);
            RINGS
                .iter()
                .position(|(_, below)| number < *below)
                .unwrap_or(RINGS.len() - 1)
        })
    }

    /// The namespaces of a ring.
    pub(super) fn of_ring(&self, ring: usize) -> BTreeSet<String> {
        let of = self
            .people
            .iter()
            .filter(|person| self.ring(person) == ring);
        of.map(Person::namespace).collect()
    }

    /// The files of users, by their namespaces.
    pub(super) fn files(
        &self,
        world: &World,
        namespaces: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>> {
        let all = looks::git(
            &world.product,
            &["ls-tree", "-r", "--name-only", "refs/heads/main"],
        )?;
        let users: Vec<String> = self
            .people
            .iter()
            .filter(|person| namespaces.contains(&person.namespace()))
            .map(|person| format!("/{}.yaml", person.user))
            .collect();
        let of = |name: &&str| users.iter().any(|user| name.ends_with(user));
        Ok(all.lines().filter(of).map(str::to_owned).collect())
    }
}

/// The number that a user keeps, by which rings take their shares: as the sample policy describes it, reckoned here a
/// second time, because nobody may change rings by a change of the program.
fn number(user: &str) -> u64 {
    let user = Uuid::parse_str(user).unwrap_or_default();
    let digest = Sha256::new_with_prefix(b"coditect ring\0")
        .chain_update(user.as_bytes())
        .finalize();
    digest
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
        % 10_000
}

/// What the cluster has of everybody.
pub(super) struct Picture {
    pub(super) users: BTreeMap<String, Seen>,
}

/// What the cluster has of a user.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The Namespace's release.
    pub(super) release: String,
    /// The Service's edition, which v1 has not.
    pub(super) service: String,
    /// The StatefulSet's generation.
    pub(super) generation: i64,
    /// The pod template's edition.
    edition: String,
    /// The revision of the next pod, once the controller has seen the newest template.
    next: Option<String>,
    /// UID, revision, and whether it is ready.
    pod: Option<(String, String, bool)>,
    /// UID and size of the volume's claim.
    pub(super) volume: (String, String),
}

impl Seen {
    /// True if everything but the pod is of a release.
    pub(super) fn has(&self, release: &str) -> bool {
        [&self.release, &self.service, &self.edition]
            .into_iter()
            .all(|one| one == release)
    }

    /// True if its pod is ready and what the next one would be.
    pub(super) fn is_newest(&self) -> bool {
        let pod = self.pod.as_ref();
        pod.is_some_and(|(_, revision, ready)| *ready && self.next.as_ref() == Some(revision))
    }

    pub(super) fn pod_uid(&self) -> Option<&str> {
        self.pod.as_ref().map(|(uid, ..)| uid.as_str())
    }
}

impl Picture {
    /// Looks at everybody.
    pub(super) async fn of(world: &World) -> Result<Self> {
        let mut users: BTreeMap<String, Seen> = BTreeMap::new();
        for one in all::<Namespace>(world, "app.kubernetes.io/managed-by=coditect").await? {
            let release = one.annotations().get("coditect.ai/release").cloned();
            users.entry(one.name_any()).or_default().release = release.unwrap_or_default();
        }
        const WORKSPACE: &str = "app.kubernetes.io/name=workspace";
        let mut of = |object: &dyn Fn(&mut Seen), namespace: Option<String>| {
            if let Some(seen) = users.get_mut(&namespace.unwrap_or_default()) {
                object(seen);
            }
        };
        for one in all::<Service>(world, WORKSPACE).await? {
            let edition = one
                .annotations()
                .get("coditect.ai/edition")
                .cloned()
                .unwrap_or_default();
            of(&|seen| seen.service.clone_from(&edition), one.namespace());
        }
        for one in all::<StatefulSet>(world, WORKSPACE).await? {
            let generation = one.metadata.generation.unwrap_or_default();
            let template = one
                .spec
                .as_ref()
                .and_then(|spec| spec.template.metadata.as_ref());
            let annotations = template.and_then(|template| template.annotations.as_ref());
            let edition =
                annotations.and_then(|annotations| annotations.get("coditect.ai/edition"));
            let status = one
                .status
                .as_ref()
                .filter(|status| status.observed_generation == Some(generation));
            let next = status.and_then(|status| status.update_revision.clone());
            of(
                &|seen| {
                    seen.generation = generation;
                    seen.edition = edition.cloned().unwrap_or_default();
                    seen.next.clone_from(&next);
                },
                one.namespace(),
            );
        }
        for one in all::<Pod>(world, WORKSPACE).await? {
            let revision = one
                .labels()
                .get("controller-revision-hash")
                .cloned()
                .unwrap_or_default();
            let ready = is_ready(&one) && one.metadata.deletion_timestamp.is_none();
            let pod = (one.uid().unwrap_or_default(), revision, ready);
            of(&|seen| seen.pod = Some(pod.clone()), one.namespace());
        }
        for one in all::<PersistentVolumeClaim>(world, WORKSPACE).await? {
            let capacity = one
                .status
                .as_ref()
                .and_then(|status| status.capacity.as_ref());
            let capacity = capacity.and_then(|capacity| capacity.get("storage"));
            let capacity = capacity.map(|size| size.0.clone()).unwrap_or_default();
            let volume = (one.uid().unwrap_or_default(), capacity);
            of(&|seen| seen.volume.clone_from(&volume), one.namespace());
        }
        Ok(Self { users })
    }

    /// What there is of one user.
    pub(super) fn of_user(&self, namespace: &str) -> Result<&Seen> {
        let none = || Failure::new(format!("there is no {namespace}"));
        self.users.get(namespace).ok_or_else(none)
    }

    /// No pod is another one.
    pub(super) fn same_pods(&self, before: &Self) -> Result {
        let renewed = self.renewed(before);
        ensure!(
            renewed.is_empty(),
            "pods went or were made anew in {renewed:?}"
        );
        Ok(())
    }

    /// The namespaces whose pod is another one than before.
    pub(super) fn renewed(&self, before: &Self) -> BTreeSet<String> {
        let is_other = |(namespace, one): &(&String, &Seen)| {
            before.users.get(*namespace).and_then(Seen::pod_uid) != one.pod_uid()
        };
        self.users
            .iter()
            .filter(is_other)
            .map(|(namespace, _)| namespace.clone())
            .collect()
    }
}

async fn all<K>(world: &World, label: &str) -> Result<Vec<K>>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let objects: Api<K> = Api::all(world.cluster.admin());
    Ok(objects
        .list(&ListParams::default().labels(label))
        .await?
        .items)
}
