//! Sign-ups, one by one through the registry, or by the hundred thousand.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use coditect_core::{CellName, CellSummary, Limits, PodSize, Readiness, RegistrationId, RequestId};
use coditect_registry::{
    Registry, keys,
    operation::{Placement, Register, Verification},
    store::{Store, StoreError},
};
use jiff::Timestamp;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::recording::{Recording, Step};

/// Users of one transaction while filling.
const BATCH: usize = 200;
/// Transactions under way while filling.
const AT_ONCE: usize = 4;

static NEXT: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn cell() -> CellName {
    "local".parse().unwrap()
}

/// The sign-up of somebody new.
pub(crate) fn register() -> Register {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Register {
        registration: RegistrationId::random(),
        email: format!("n{number:09}@example.com").parse().unwrap(),
        display_name: "Ada Lovelace".parse().unwrap(),
        // As long as a real one; making it is not the registry's work.
        password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaVsg"
            .into(),
        terms: None,
        verification: Verification::None,
        placement: Placement {
            plan: "free".parse().unwrap(),
            limits: Limits {
                storage_gib: 1,
                hours_per_month: 10,
                llm_requests_per_month: 100,
                workspaces: 2,
                idle_minutes: 30,
                pod: PodSize {
                    cpu_millis: 1000,
                    cpu_request_millis: 100,
                    memory_mib: 1024,
                    ephemeral_storage_mib: 1024,
                    pids: 512,
                },
            },
            cells: vec![CellSummary {
                name: cell(),
                capacity: u32::MAX,
                closed: false,
                storage_class: "standard-rwo".parse().unwrap(),
                domain: "workspaces.example".into(),
                held: false,
                readiness: Readiness::default(),
            }],
        },
        at: Timestamp::now(),
    }
}

pub(crate) async fn sign_up(registry: &Registry) {
    registry
        .apply(RequestId::random(), &register())
        .await
        .unwrap();
}

/// What so many sign-ups read and write.
pub(crate) async fn recorded(count: usize) -> Vec<Vec<Step>> {
    let recording = Recording::new();
    let store = Arc::clone(&recording) as Arc<dyn Store>;
    let registry = Registry::open(store).await.unwrap();
    recording.take();
    for _ in 0..count {
        sign_up(&registry).await;
    }
    recording.take()
}

/// One sign-up's writes, of which others are made by putting other ids, names and addresses in.
struct Model {
    steps: Vec<Step>,
    ids: Vec<Uuid>,
    slug: String,
    email: String,
}

impl Model {
    async fn new() -> Self {
        let steps = recorded(1).await.remove(0);
        let mut ids = Vec::new();
        let (mut slug, mut email) = (String::new(), String::new());
        for step in &steps {
            let Step::Set(key, _) = step else { continue };
            let parsed = keys::parse(key).unwrap();
            for part in &parsed.parts {
                if let keys::KeyPart::Id(id) = part
                    && !ids.contains(id)
                {
                    ids.push(*id);
                }
            }
            if let (keys::KeyPart::Text(word), Some(keys::KeyPart::Text(name))) =
                (&parsed.parts[0], parsed.parts.get(1))
            {
                match word.as_str() {
                    "slug" => slug.clone_from(name),
                    "email" => email.clone_from(name),
                    _ => {}
                }
            }
        }
        assert!(!slug.is_empty() && !email.is_empty() && ids.len() >= 5);
        Self {
            steps,
            ids,
            slug,
            email,
        }
    }

    /// The writes of user `number`. Ids rise with the number, so that filling is writing in order; sign-ups
    /// afterwards draw theirs at random.
    fn of(&self, number: usize) -> Vec<Step> {
        let mut replace: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for (place, id) in self.ids.iter().enumerate() {
            let mut bytes = *Uuid::new_v4().as_bytes();
            bytes[..4].copy_from_slice(&u32::try_from(number).unwrap().to_be_bytes());
            bytes[4] = u8::try_from(place).unwrap();
            let new = Uuid::from_bytes(bytes);
            // Version and variant are checked by who parses ids.
            let mut fixed = *new.as_bytes();
            fixed[6] = 0x40 | (fixed[6] & 0x0f);
            fixed[8] = 0x80 | (fixed[8] & 0x3f);
            let new = Uuid::from_bytes(fixed);
            replace.push((id.as_bytes().to_vec(), new.as_bytes().to_vec()));
            replace.push((id.to_string().into_bytes(), new.to_string().into_bytes()));
        }
        let slug = format!("{}{}", &self.slug[..self.slug.len() - 5], code(number));
        replace.push((self.slug.clone().into_bytes(), slug.into_bytes()));
        let email = format!("m{number:09}@example.com");
        assert_eq!(email.len(), self.email.len());
        replace.push((self.email.clone().into_bytes(), email.into_bytes()));
        let replace = Replacements::new(replace);
        let with = |bytes: &[u8]| replace.applied_to(bytes);
        self.steps
            .iter()
            .filter_map(|step| {
                Some(match step {
                    Step::Set(key, value) => Step::Set(with(key), with(value)),
                    Step::Append(key, value) => Step::Append(with(key), with(value)),
                    Step::Add(key, delta) => Step::Add(with(key), *delta),
                    _ => return None,
                })
            })
            .collect()
    }
}

/// The end of a host name: five characters of those that are used there.
fn code(mut number: usize) -> String {
    const CODE: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";
    let mut code = [0; 5];
    for place in code.iter_mut().rev() {
        *place = CODE[number % CODE.len()];
        number /= CODE.len();
    }
    String::from_utf8(code.to_vec()).unwrap()
}

/// What to put in the place of what, by the first byte of what is replaced.
struct Replacements([Vec<(Vec<u8>, Vec<u8>)>; 256]);

impl Replacements {
    fn new(pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        let mut by_first = [const { Vec::new() }; 256];
        for pair in pairs {
            by_first[usize::from(pair.0[0])].push(pair);
        }
        Self(by_first)
    }

    fn applied_to(&self, bytes: &[u8]) -> Vec<u8> {
        let mut made = bytes.to_vec();
        let mut at = 0;
        while at < made.len() {
            let found = self.0[usize::from(bytes[at])]
                .iter()
                .find(|(old, _)| bytes[at..].starts_with(old));
            match found {
                Some((old, new)) => {
                    made[at..at + old.len()].copy_from_slice(new);
                    at += old.len();
                }
                None => at += 1,
            }
        }
        made
    }
}

/// Gives the store so many users, as if each had signed up.
pub(crate) async fn fill(store: &Arc<dyn Store>, users: usize) {
    Registry::open(Arc::clone(store)).await.unwrap();
    let model = Arc::new(Model::new().await);
    let mut running = JoinSet::new();
    for first in (0..users).step_by(BATCH) {
        if running.len() >= AT_ONCE {
            running.join_next().await.unwrap().unwrap();
        }
        let (store, model) = (Arc::clone(store), Arc::clone(&model));
        running.spawn(async move {
            let steps: Vec<Step> = (first..users.min(first + BATCH))
                .flat_map(|number| model.of(number))
                .collect();
            write(&store, &steps).await.unwrap();
        });
    }
    running.join_all().await;
}

async fn write(store: &Arc<dyn Store>, steps: &[Step]) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    loop {
        for step in steps {
            match step {
                Step::Set(key, value) => transaction.set(key, value),
                Step::Append(key, value) => transaction.append(key, value),
                Step::Add(key, delta) => transaction.add(key, *delta),
                Step::Clear(_) | Step::ClearRange(_) | Step::Get(_) | Step::Range(..) => {}
            }
        }
        match transaction.commit().await {
            Ok(_) => return Ok(()),
            Err(error) => transaction.reset(error).await?,
        }
    }
}
