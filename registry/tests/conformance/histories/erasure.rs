//! Erasure beside everything else that a person does at that moment: nothing of them remains, however the two
//! meet.

use coditect_core::{Activity, Email, LoginId, Power, Result};
use coditect_registry::{
    Registry,
    operation::{
        ChangePassword, ChangeProfile, CreateWorkspace, DeleteAccount, EndLogin, MarkAccount,
        MarkWorkspace, NoteActivity, OpenLogin, Provisioned, RenameWorkspace, RequestEmail,
        RestoreAccount, RotateRefresh, SetPower,
    },
    record::RegistrationState,
    store::{Isolation::Snapshot, StoreError},
};
use futures::future::join_all;

use super::{ask, is_busy, look, registry, settled};
use crate::{
    access::{everything, pages},
    bench::{Bench, on_every_store},
    support::{World, at, cell, entitlement},
};

/// Stands in everything that the person gives.
const THEIRS: &str = "wolkenstein";
/// Where a person's records lie: no id of theirs may be left there.
const ROOMS: [&str; 11] = [
    "account",
    "activity",
    "awaited_approval",
    "cell",
    "email",
    "grace",
    "membership",
    "quarantine",
    "tenant",
    "user",
    "workspace",
];
const KINDS: usize = 12;

/// Somebody, and the sign-in that they work with.
#[derive(Clone, Copy)]
struct Person {
    ids: Provisioned,
    login: LoginId,
}

/// The `n`th thing a person does, of the given kind.
async fn act(registry: &Registry, person: Person, kind: usize, n: i64) -> Result<()> {
    let Person { ids, login } = person;
    let (account, workspace, now) = (ids.account, ids.workspace, at(n));
    match kind {
        0 => {
            let create = CreateWorkspace {
                account,
                user: ids.user,
                name: format!("{THEIRS} {n}").parse()?,
                entitlement: entitlement("free"),
                cell: cell("local", 1_000),
                at: now,
            };
            ask(registry, &create).await.map(drop)
        }
        1 => {
            let rename = RenameWorkspace {
                account,
                workspace,
                name: format!("{THEIRS} again {n}").parse()?,
                expected: None,
                at: now,
            };
            ask(registry, &rename).await.map(drop)
        }
        2 => {
            let change = ChangeProfile {
                account,
                display_name: format!("Q. {THEIRS} {n}").parse()?,
                expected: None,
                tenant: ids.tenant,
                at: now,
            };
            ask(registry, &change).await.map(drop)
        }
        3 => {
            let change = ChangePassword {
                account,
                password_hash: format!("$argon2id${THEIRS}{n}"),
                keep: login,
                tenant: ids.tenant,
                at: now,
            };
            ask(registry, &change).await.map(drop)
        }
        4 => {
            let open = OpenLogin {
                account,
                login: LoginId::random(),
                credential_of: None,
                from: Some(([203, 0, 113, 7].into(), Some(format!("{THEIRS}/1.0")))),
                at: now,
            };
            ask(registry, &open).await
        }
        5 => {
            let rotate = RotateRefresh {
                account,
                login,
                counter: 0,
                at: at(0),
            };
            ask(registry, &rotate).await.map(drop)
        }
        6 => {
            let set = SetPower {
                account,
                workspace,
                power: if n % 2 == 0 { Power::On } else { Power::Off },
                at: now,
            };
            ask(registry, &set).await
        }
        7 => {
            let note = NoteActivity {
                cell: "local".parse()?,
                workspace,
                activity: Activity {
                    input_at: Some(now),
                    output_at: None,
                    reported_at: now,
                },
                at: now,
            };
            ask(registry, &note).await.map(drop)
        }
        8 => {
            let request = RequestEmail {
                account,
                email: format!("{THEIRS}-{n}@example.org").parse::<Email>()?,
                proof_hash: format!("{n}"),
                expires_at: at(n + 1_000),
                at: now,
            };
            ask(registry, &request).await.map(drop)
        }
        9 => {
            let mark = MarkWorkspace {
                account,
                workspace,
                until: at(n + 1_000),
                at: now,
            };
            ask(registry, &mark).await
        }
        10 => {
            let mark = MarkAccount {
                account,
                until: at(n + 1_000),
                at: now,
            };
            ask(registry, &mark).await
        }
        _ => {
            let restore = RestoreAccount { account, at: now };
            ask(registry, &restore).await
        }
    }
}

async fn somebody(registry: &Registry) -> Result<Person, StoreError> {
    let mut register = World::register(&format!("q.{THEIRS}@example.org"));
    register.display_name = format!("Quirina {THEIRS}").parse().unwrap();
    register.password_hash = format!("$argon2id${THEIRS}");
    settled(ask(registry, &register).await)?;
    let id = register.registration;
    let record = look(registry, move |view| Box::pin(view.registration(id))).await?;
    let RegistrationState::Complete {
        account,
        tenant,
        user,
        workspace,
        ..
    } = record.unwrap().state
    else {
        panic!("nobody else has the address");
    };
    let ids = Provisioned {
        account,
        tenant,
        user,
        workspace,
    };
    let login = LoginId::random();
    let open = OpenLogin {
        account,
        login,
        credential_of: None,
        from: None,
        at: at(0),
    };
    settled(ask(registry, &open).await)?;
    Ok(Person { ids, login })
}

/// Checks that no key and no value holds what the person gave, and that no record of theirs is left.
async fn nothing_remains(bench: &Bench, ids: &Provisioned) -> Result<(), StoreError> {
    let mut transaction = bench.begin().await?;
    let all = pages(&mut *transaction, &everything(), 1_000, false, Snapshot).await?;
    let ids = [
        ids.account.as_uuid(),
        ids.tenant.as_uuid(),
        ids.user.as_uuid(),
        ids.workspace.as_uuid(),
    ];
    for (key, value) in all {
        for bytes in [&key, &value] {
            let text = String::from_utf8_lossy(bytes).to_lowercase();
            assert!(!text.contains(THEIRS), "{text:?} is left of them");
        }
        let shown = String::from_utf8_lossy(&key).into_owned();
        let room = ROOMS
            .iter()
            .any(|room| key.starts_with(&[&[2], room.as_bytes(), &[0]].concat()));
        for id in ids {
            let in_key = key.windows(16).any(|window| window == id.as_bytes());
            let in_value = String::from_utf8_lossy(&value).contains(&id.to_string());
            assert!(!(room && (in_key || in_value)), "{shown:?} is left of them");
        }
    }
    Ok(())
}

on_every_store! {
    async fn whatever_races_with_an_erasure_nothing_of_the_person_remains(bench) {
        let registry = registry(bench).await?;
        for round in 0..3 {
            let person = somebody(&registry).await?;
            let acts = (0..KINDS).map(|kind| {
                let registry = registry.clone();
                tokio::spawn(async move {
                    let mut done = 0;
                    for n in 0..6 {
                        match act(&registry, person, kind, n).await {
                            Ok(()) => done += 1,
                            // A rule said no; to be too busy a hundred times is another matter.
                            Err(error) if !is_busy(&error) => {}
                            Err(_) => return Err(StoreError::TooOld),
                        }
                        tokio::task::yield_now().await;
                    }
                    Ok(done)
                })
            });
            let acts: Vec<_> = acts.collect();
            // Early, in their midst, and late.
            for _ in 0..round * 20 {
                look(&registry, |view| Box::pin(view.version())).await?;
            }
            let delete = DeleteAccount { account: person.ids.account, at: at(100) };
            settled(ask(&registry, &delete).await)?;
            let mut done = 0;
            for acted in join_all(acts).await {
                done += acted.unwrap()?;
            }
            assert!(round == 0 || done > 0, "nothing raced with the erasure");
            nothing_remains(bench, &person.ids).await?;
            for kind in 0..KINDS {
                match act(&registry, person, kind, 50).await {
                    Err(error) if is_busy(&error) => return Err(StoreError::TooOld),
                    _ => {}
                }
            }
            let end = EndLogin { account: person.ids.account, login: person.login, at: at(101) };
            settled(ask(&registry, &end).await)?;
            nothing_remains(bench, &person.ids).await?;
        }
    }
}
