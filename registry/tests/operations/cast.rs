//! A person who has everything that there is to have.

use coditect_core::{
    ApiKeyId, ConversationId, ExternalId, InvitationId, LoginId, RegistrationId, SessionId,
};
use coditect_registry::{
    operation::{
        AppendMessage, ApplyStripeEvent, BeginUploads, Enter, FileContent, FileReport, Invite,
        IssueApiKey, LinkCustomer, LinkIdentity, OfferSecondFactor, OpenLogin, OpenSession,
        Provisioned, PutFiles, RecordUsage, Register, RequestEmail, RequestPasswordReset,
        RestoreFile, Subscription, Verification,
    },
    record::{Author, Invoice, Role, Upload, UsageKind},
};
use uuid::Uuid;

use crate::{
    observer::local,
    support::{LIMITS, World, at},
};

/// The person's ids beside those of the sign-up.
pub(crate) struct Cast {
    pub(crate) person: Provisioned,
    pub(crate) login: LoginId,
    pub(crate) session: SessionId,
    pub(crate) api_key: ApiKeyId,
    pub(crate) api_key_hash: String,
    pub(crate) conversation: ConversationId,
    pub(crate) invitation: InvitationId,
    pub(crate) pending: RegistrationId,
}

/// What is said nowhere else, so that it is found wherever it was left.
pub(crate) const SECRETS: [&str; 12] = [
    "@ada.example",
    "Countess Lovelace",
    "subject-of-ada",
    "sealed-of-ada",
    "proof-of-ada",
    "203.0.113.77",
    "agent-of-ada",
    "key-of-ada",
    "layout-of-ada",
    "words-of-ada",
    "path-of-ada",
    "title-of-ada",
];

pub(crate) fn external(text: &str) -> ExternalId {
    text.parse().unwrap()
}

/// Ada, with the address `ada@ada.example`.
pub(crate) async fn ada(world: &World) -> Cast {
    // A second sign-up of the same address, made before the first was proved.
    let pending = Register {
        verification: Verification::Email,
        ..World::register("ada@ada.example")
    };
    world.done(&pending).await;
    let register = Register {
        display_name: "Countess Lovelace".parse().unwrap(),
        ..World::register("ada@ada.example")
    };
    world.done(&register).await;
    let person = world.provisioned(register.registration).await.unwrap();
    world.live(&person).await;
    let login = LoginId::random();
    world
        .done(&OpenLogin {
            account: person.account,
            login,
            credential_of: None,
            from: Some(("203.0.113.77".parse().unwrap(), Some("agent-of-ada".into()))),
            at: at(40),
        })
        .await;
    world
        .done(&Enter {
            login,
            workspace: person.workspace,
            attempt: Uuid::new_v4(),
            at: at(40),
        })
        .await;
    world
        .done(&LinkIdentity {
            account: person.account,
            provider: "google".parse().unwrap(),
            subject: external("subject-of-ada"),
            at: at(41),
        })
        .await;
    world
        .done(&OfferSecondFactor {
            account: person.account,
            sealed_secret: "sealed-of-ada".into(),
            at: at(42),
        })
        .await;
    world
        .done(&RequestEmail {
            account: person.account,
            email: "new@ada.example".parse().unwrap(),
            proof_hash: "proof-of-ada".into(),
            expires_at: at(10_000),
            at: at(43),
        })
        .await;
    world
        .done(&RequestPasswordReset {
            account: person.account,
            proof_hash: "proof-of-ada".into(),
            expires_at: at(10_000),
            at: at(44),
        })
        .await;
    let (session, api_key) = (SessionId::random(), ApiKeyId::random());
    world
        .done(&OpenSession {
            account: person.account,
            session,
            workspace: person.workspace,
            state: serde_json::json!({"layout": "layout-of-ada"}),
            at: at(45),
        })
        .await;
    let api_key_hash = "ad".repeat(32);
    world
        .done(&IssueApiKey {
            account: person.account,
            user: person.user,
            api_key,
            name: "key-of-ada".into(),
            prefix: "cod_ada".into(),
            hash: api_key_hash.clone(),
            scopes: ["workspaces:read".to_owned()].into(),
            expires_at: Some(at(20_000)),
            at: at(46),
        })
        .await;
    let conversation = ConversationId::random();
    for content in ["words-of-ada".to_owned(), "words-of-ada ".repeat(20_000)] {
        world
            .done(&AppendMessage {
                account: person.account,
                user: person.user,
                conversation,
                title: Some("title-of-ada".into()),
                author: Author::User,
                model: None,
                content,
                at: at(47),
            })
            .await;
    }
    world
        .done(&RecordUsage {
            user: person.user,
            kind: UsageKind::LlmRequests,
            amount: 2,
            limit: Some(100),
            at: at(48),
        })
        .await;
    files(world, &person).await;
    pay(world, &person).await;
    let invitation = invited(world).await;
    Cast {
        person,
        login,
        session,
        api_key,
        api_key_hash,
        conversation,
        invitation,
        pending: pending.registration,
    }
}

/// Two contents of one file, of which one snapshot is kept.
async fn files(world: &World, person: &Provisioned) {
    for content in ["a", "b"] {
        let upload = Upload::begun(at(49));
        world
            .done(&BeginUploads {
                cell: local(),
                workspace: person.workspace,
                uploads: vec![upload],
                at: at(49),
            })
            .await;
        world
            .done(&PutFiles {
                cell: local(),
                workspace: person.workspace,
                files: vec![FileReport {
                    path: "src/path-of-ada.rs".parse().unwrap(),
                    content: Some(FileContent {
                        size: 1,
                        hash: content.repeat(64),
                        upload: Some(upload),
                    }),
                    modified_at: at(49),
                }],
                keep: 1,
                most: 10,
                most_bytes: 10,
                at: at(49),
            })
            .await;
        world
            .done(&RestoreFile {
                account: person.account,
                workspace: person.workspace,
                path: "src/path-of-ada.rs".parse().unwrap(),
                snapshot: upload.id,
                id: Uuid::new_v4(),
                at: at(50),
            })
            .await;
    }
}

/// A customer, a larger plan by an event, an invoice.
async fn pay(world: &World, person: &Provisioned) {
    let customer = external("cus_ada");
    world
        .done(&LinkCustomer {
            actor: Some(person.account),
            tenant: person.tenant,
            customer: customer.clone(),
            at: at(50),
        })
        .await;
    world
        .done(&ApplyStripeEvent {
            event: external("evt_ada"),
            happened_at: at(51),
            customer: customer.clone(),
            subscription: Some(Subscription {
                id: Some(external("sub_ada")),
                status: Some("active".into()),
                paid_until: Some(at(90_000)),
                plan: Some(("pro".parse().unwrap(), LIMITS)),
            }),
            fetched_at: None,
            invoice: Some((
                external("in_ada"),
                Invoice {
                    customer,
                    number: Some("2027-1".into()),
                    amount: 9_900,
                    currency: "usd".into(),
                    issued_at: at(51),
                    keep_until: at(300_000_000),
                },
            )),
            at: at(52),
        })
        .await;
}

/// An invitation of Ada's address to somebody else's tenant.
async fn invited(world: &World) -> InvitationId {
    let host = world.sign_up("host@example.com").await;
    let invitation = InvitationId::random();
    world
        .done(&Invite {
            by: host.account,
            tenant: host.tenant,
            invitation,
            email: "ada@ada.example".parse().unwrap(),
            role: Role::Admin,
            proof_hash: "proof-of-ada".into(),
            expires_at: at(600_000),
            at: at(53),
        })
        .await;
    invitation
}
