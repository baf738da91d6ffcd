//! A cell as a whole: how it fares, its power feed, everybody in it.

use coditect_core::{Phase, Power, Version};
use coditect_registry::{
    operation::{NoteCell, TrimPower},
    record::CellState,
};

use crate::{
    observer::{local, note, power, status},
    support::{World, at},
};
#[tokio::test]
async fn how_a_cell_fares_is_what_was_said_last() {
    let world = World::new().await;
    let state = |ready, seconds| CellState {
        held: true,
        scales_wrong: 1,
        workspaces: 5,
        ready,
        connected: true,
        argocd_unreachable: Some("no Applications".into()),
        at: at(seconds),
    };
    let note = |ready, seconds| NoteCell {
        cell: local(),
        state: state(ready, seconds),
        at: at(seconds),
    };
    for (ready, seconds) in [(1, 1), (2, 2), (2, 2)] {
        world.apply(&note(ready, seconds)).await;
    }
    let mut view = world.registry.view().await.unwrap();
    assert_eq!(view.cell_state(&local()).await.unwrap(), Some(state(2, 2)));
    let other = "other".parse().unwrap();
    assert_eq!(view.cell_state(&other).await.unwrap(), None);
}

#[tokio::test]
async fn power_is_followed_in_pieces_and_trimmed_behind() {
    let world = World::new().await;
    let mut people = Vec::new();
    for n in 0..7 {
        people.push(world.sign_up(&format!("p{n}@example.com")).await);
    }
    let mut view = world.registry.view().await.unwrap();
    let signal = view.power_signal(&local()).await.unwrap();
    let checkpoint = world.version().await;
    let registry = world.registry.clone();
    let waiting = tokio::spawn(async move { registry.power_changed(&local(), signal).await });
    world.apply(&power(&people[3], Power::Off, 1)).await;
    waiting.await.unwrap().unwrap();

    for limit in [1, 3, 100] {
        let (mut seen, mut version) = (Vec::new(), Version(0));
        loop {
            let mut view = world.registry.view().await.unwrap();
            let part = view.power_after(&local(), version, limit).await.unwrap();
            seen.extend(part.workspaces);
            version = part.until;
            if !part.more {
                break;
            }
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 7, "limit {limit}");
    }
    let trim = |until| TrimPower {
        cell: local(),
        until,
        at: at(2),
    };
    for until in [checkpoint, Version(1), checkpoint] {
        world.apply(&trim(until)).await;
    }
    let mut view = world.registry.view().await.unwrap();
    assert_eq!(view.power_floor(&local()).await.unwrap(), checkpoint);
    let left = view.power_after(&local(), Version(0), 10).await.unwrap();
    assert_eq!(
        left.workspaces.into_iter().collect::<Vec<_>>(),
        [people[3].workspace]
    );
}

#[tokio::test]
async fn a_whole_cell_is_read_in_pages() {
    let world = World::new().await;
    let mut people = Vec::new();
    for n in 0..5 {
        people.push(world.sign_up(&format!("p{n}@example.com")).await);
    }
    let ada = &people[2];
    world.apply(&note(ada, status(Phase::Ready, 5))).await;
    let (mut read, mut after) = (Vec::new(), None);
    loop {
        let mut view = world.registry.view().await.unwrap();
        let (page, more) = view.runtimes_after(&local(), after, 2).await.unwrap();
        after = page.last().map(|last| last.row.intent.user);
        read.extend(page);
        if !more {
            break;
        }
    }
    let mut expected: Vec<_> = people.iter().map(|person| person.user).collect();
    expected.sort();
    let users: Vec<_> = read.iter().map(|user| user.row.intent.user).collect();
    assert_eq!(users, expected);
    let own = read
        .iter()
        .find(|user| user.row.intent.user == ada.user)
        .unwrap();
    assert_eq!(own.workspaces.len(), 1);
    assert_eq!(own.workspaces[0].id, ada.workspace);
    assert_eq!(own.workspaces[0].power.power, Power::On);
    assert_eq!(
        own.workspaces[0].status.as_ref().unwrap().phase,
        Phase::Ready
    );
    let mut view = world.registry.view().await.unwrap();
    assert!(
        view.runtime(&local(), coditect_core::UserId::random())
            .await
            .unwrap()
            .is_none()
    );
    let place = view.place_of(ada.workspace).await.unwrap().unwrap();
    assert_eq!((place.user, place.cell), (ada.user, local()));
}
