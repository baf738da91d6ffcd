//! Where uniqueness matters, many try at the same time, and one has it; an erasure among writes leaves nothing.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use coditect_core::{ApiKeyId, ConversationId, InvitationId, Kind, LoginId, RequestId, SessionId};
use coditect_registry::{
    Operation, Registry,
    operation::{
        AcceptInvitation, AppendMessage, BeginUploads, ConfirmEmail, CreateWorkspace,
        DeleteAccount, FileContent, FileReport, Invite, IssueApiKey, LinkCustomer, LinkIdentity,
        OfferSecondFactor, OpenLogin, OpenSession, Provisioned, PutFiles, RecordUsage,
        RequestEmail, RequestPasswordReset,
    },
    record::{Author, Role, Upload, UsageKind},
    store::faulty::Fault,
};
use tokio::task::JoinSet;

use crate::{
    cast::{SECRETS, external},
    observer::local,
    support::{World, at, cell, entitlement, holds, placement},
};

/// How many try at once.
const MANY: usize = 20;

/// Does all of these at the same time; how many succeeded.
async fn race<O: Operation + 'static>(registry: &Registry, operations: Vec<O>) -> usize {
    let start = Arc::new(tokio::sync::Barrier::new(operations.len()));
    let mut racing = JoinSet::new();
    for operation in operations {
        let (registry, start) = (registry.clone(), Arc::clone(&start));
        racing.spawn(async move {
            start.wait().await;
            registry
                .apply(RequestId::random(), &operation)
                .await
                .is_ok()
        });
    }
    racing
        .join_all()
        .await
        .into_iter()
        .filter(|won| *won)
        .count()
}

async fn people(world: &World) -> Vec<Provisioned> {
    let mut people = Vec::new();
    for n in 0..MANY {
        people.push(world.sign_up(&format!("p{n}@example.com")).await);
    }
    people
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_has_the_identity_and_one_the_address() {
    let world = World::new().await;
    let people = people(&world).await;
    let links = people
        .iter()
        .map(|person| LinkIdentity {
            account: person.account,
            provider: "google".parse().unwrap(),
            subject: external("s"),
            at: at(1),
        })
        .collect();
    assert_eq!(race(&world.registry, links).await, 1);

    for person in &people {
        world
            .apply(&RequestEmail {
                account: person.account,
                email: "wanted@example.com".parse().unwrap(),
                proof_hash: "p".into(),
                expires_at: at(100),
                at: at(1),
            })
            .await;
    }
    let confirms = people
        .iter()
        .map(|person| ConfirmEmail {
            account: person.account,
            proof_hash: "p".into(),
            at: at(2),
        })
        .collect();
    assert_eq!(race(&world.registry, confirms).await, 1);
    let mut view = world.view().await;
    let wanted = "wanted@example.com".parse().unwrap();
    let (winner, _) = view.account_by_email(&wanted).await.unwrap().unwrap();
    let mut holders = BTreeSet::new();
    for person in &people {
        let account = view.account(person.account).await.unwrap().unwrap();
        assert_eq!(account.email == wanted, person.account == winner);
        holders.insert(account.email);
    }
    assert_eq!(holders.len(), MANY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_invitation_is_accepted_once_and_a_limit_holds() {
    let world = World::new().await;
    let (ada, bob) = (
        world.sign_up("ada@example.com").await,
        world.sign_up("bob@example.com").await,
    );
    let invite = Invite {
        by: ada.account,
        tenant: ada.tenant,
        invitation: InvitationId::random(),
        email: "bob@example.com".parse().unwrap(),
        role: Role::Member,
        proof_hash: "p".into(),
        expires_at: at(100),
        at: at(1),
    };
    world.apply(&invite).await;
    let accepts = (0..MANY)
        .map(|_| AcceptInvitation {
            account: bob.account,
            tenant: ada.tenant,
            invitation: invite.invitation,
            proof_hash: "p".into(),
            placement: placement(),
            at: at(2),
        })
        .collect();
    assert_eq!(race(&world.registry, accepts).await, 1);
    assert_eq!(world.view().await.cell_load(&local()).await.unwrap(), 3);

    let requests = (0..MANY)
        .map(|_| RecordUsage {
            user: ada.user,
            kind: UsageKind::LlmRequests,
            amount: 1,
            limit: Some(7),
            at: at(3),
        })
        .collect();
    assert_eq!(race(&world.registry, requests).await, 7);
}

/// The person is erased while the commit of something that writes below them is under way: it is then refused, and
/// nothing of it is left.
async fn overtaken<O: Operation + 'static>(make: impl FnOnce(Provisioned) -> O) {
    let world = World::with_identity_key().await;
    let ada = world.sign_up("ada@ada.example").await;
    let write = make(ada);
    world
        .store
        .inject(Fault::SlowCommit(Duration::from_secs(1)), 1);
    let registry = world.registry.clone();
    let writing = tokio::spawn(async move { registry.apply(RequestId::random(), &write).await });
    while !world.store.is_spent() {
        tokio::task::yield_now().await;
    }
    world
        .apply(&DeleteAccount {
            account: ada.account,
            at: at(2),
        })
        .await;
    let error = writing
        .await
        .unwrap()
        .err()
        .unwrap_or_else(|| panic!("{} wrote for somebody who was erased", O::NAME));
    assert_eq!(*error.kind(), Kind::NotFound, "{}", O::NAME);
    assert_nothing_left(&world, &ada).await;
}

async fn assert_nothing_left(world: &World, person: &Provisioned) {
    let heap = world.bytes().await;
    for secret in SECRETS {
        assert!(!holds(&heap, secret), "{secret} is left");
    }
    for id in [
        person.account.as_uuid(),
        person.user.as_uuid(),
        person.workspace.as_uuid(),
    ] {
        assert_eq!(world.traces(id).await, Vec::<String>::new());
    }
}

fn sign_in(ada: Provisioned) -> OpenLogin {
    OpenLogin {
        account: ada.account,
        login: LoginId::random(),
        credential_of: None,
        from: Some(("203.0.113.77".parse().unwrap(), None)),
        at: at(1),
    }
}

fn link(ada: Provisioned, n: usize) -> LinkIdentity {
    LinkIdentity {
        account: ada.account,
        provider: format!("p{n}").parse().unwrap(),
        subject: external(&format!("subject-of-ada-{n}")),
        at: at(1),
    }
}

fn change_email(ada: Provisioned, n: usize) -> RequestEmail {
    RequestEmail {
        account: ada.account,
        email: format!("new{n}@ada.example").parse().unwrap(),
        proof_hash: "proof-of-ada".into(),
        expires_at: at(1_000),
        at: at(1),
    }
}

fn open(ada: Provisioned) -> OpenSession {
    OpenSession {
        account: ada.account,
        session: SessionId::random(),
        workspace: ada.workspace,
        state: "layout-of-ada".into(),
        at: at(1),
    }
}

fn issue(ada: Provisioned, n: usize) -> IssueApiKey {
    IssueApiKey {
        account: ada.account,
        user: ada.user,
        api_key: ApiKeyId::random(),
        name: "key-of-ada".into(),
        prefix: "cod".into(),
        hash: format!("{n:064x}"),
        scopes: BTreeSet::new(),
        expires_at: Some(at(1_000)),
        at: at(1),
    }
}

fn say(ada: Provisioned) -> AppendMessage {
    AppendMessage {
        account: ada.account,
        user: ada.user,
        conversation: ConversationId::random(),
        title: None,
        author: Author::User,
        model: None,
        content: "words-of-ada".into(),
        at: at(1),
    }
}

fn count(ada: Provisioned) -> RecordUsage {
    RecordUsage {
        user: ada.user,
        kind: UsageKind::LlmRequests,
        amount: 1,
        limit: None,
        at: at(1),
    }
}

fn report(ada: Provisioned, n: usize) -> PutFiles {
    PutFiles {
        cell: local(),
        workspace: ada.workspace,
        files: vec![FileReport {
            path: format!("path-of-ada-{n}").parse().unwrap(),
            content: Some(FileContent {
                size: 1,
                hash: "a".repeat(64),
                upload: None,
            }),
            modified_at: at(1),
        }],
        keep: 1,
        most: 1_000_000,
        most_bytes: 1_000_000,
        at: at(1),
    }
}

fn begin_upload(ada: Provisioned) -> BeginUploads {
    BeginUploads {
        cell: local(),
        workspace: ada.workspace,
        uploads: vec![Upload::begun(at(1))],
        at: at(1),
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_an_erasure_overtakes_is_not_written() {
    overtaken(sign_in).await;
    overtaken(|ada| link(ada, 0)).await;
    overtaken(|ada| change_email(ada, 0)).await;
    overtaken(|ada| RequestPasswordReset {
        account: ada.account,
        proof_hash: "proof-of-ada".into(),
        expires_at: at(1_000),
        at: at(1),
    })
    .await;
    overtaken(|ada| OfferSecondFactor {
        account: ada.account,
        sealed_secret: "sealed-of-ada".into(),
        at: at(1),
    })
    .await;
    overtaken(open).await;
    overtaken(|ada| issue(ada, 0)).await;
    overtaken(say).await;
    overtaken(count).await;
    overtaken(|ada| report(ada, 0)).await;
    overtaken(begin_upload).await;
    overtaken(|ada| LinkCustomer {
        actor: None,
        tenant: ada.tenant,
        customer: external("cus_ada"),
        at: at(1),
    })
    .await;
    overtaken(|ada| Invite {
        by: ada.account,
        tenant: ada.tenant,
        invitation: InvitationId::random(),
        email: "guest@ada.example".parse().unwrap(),
        role: Role::Member,
        proof_hash: "proof-of-ada".into(),
        expires_at: at(1_000),
        at: at(1),
    })
    .await;
    overtaken(|ada| CreateWorkspace {
        account: ada.account,
        user: ada.user,
        name: "second".parse().unwrap(),
        entitlement: entitlement("free"),
        cell: cell("local", 1_000),
        at: at(1),
    })
    .await;
}

/// How often each writer of the race writes, at most.
const WRITES: usize = 30;

fn keep_doing<O: Operation + 'static>(
    writers: &mut JoinSet<usize>,
    world: &World,
    make: impl Fn(usize) -> O + Send + 'static,
) {
    let registry = world.registry.clone();
    writers.spawn(async move {
        let mut written = 0;
        for n in 0..WRITES {
            if registry.apply(RequestId::random(), &make(n)).await.is_ok() {
                written += 1;
            }
        }
        written
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_erasure_among_writes_leaves_nothing() {
    for _ in 0..5 {
        let world = World::with_identity_key().await;
        let ada = world.sign_up("ada@ada.example").await;
        let mut writers = JoinSet::new();
        keep_doing(&mut writers, &world, move |_| sign_in(ada));
        keep_doing(&mut writers, &world, move |n| link(ada, n));
        keep_doing(&mut writers, &world, move |n| change_email(ada, n));
        keep_doing(&mut writers, &world, move |_| open(ada));
        keep_doing(&mut writers, &world, move |n| issue(ada, n));
        keep_doing(&mut writers, &world, move |_| say(ada));
        keep_doing(&mut writers, &world, move |_| count(ada));
        keep_doing(&mut writers, &world, move |n| report(ada, n));
        let erase = DeleteAccount {
            account: ada.account,
            at: at(2),
        };
        // The writers may win for a while; whoever asked sends the same request again.
        let request = RequestId::random();
        while let Err(error) = world.registry.apply(request, &erase).await {
            assert_eq!(*error.kind(), Kind::Unavailable);
        }
        writers.join_all().await;
        assert_nothing_left(&world, &ada).await;
    }
}
