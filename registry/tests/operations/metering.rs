//! Running time: never negative, never twice, in the right month.

use coditect_core::{Power, RequestId};
use coditect_registry::{
    operation::{DeleteWorkspace, Meter, Provisioned, SetPower, month_of},
    store::faulty::Fault,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::{
    observer::{local, power},
    support::{World, at},
};

fn meter(person: &Provisioned, until: Timestamp, now: Timestamp) -> Meter {
    Meter {
        cell: local(),
        workspaces: vec![person.workspace],
        until,
        at: now,
    }
}

async fn used(world: &World, person: &Provisioned, month: &str) -> u64 {
    let mut view = world.registry.view().await.unwrap();
    view.usage_seconds(person.user, month).await.unwrap()
}

#[tokio::test]
async fn time_counts_from_when_it_was_first_seen_running_until_it_is_off() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let month = month_of(at(0));
    for (until, expected) in [(100, 0), (160, 60), (160, 60), (130, 60), (170, 70)] {
        world.apply(&meter(&ada, at(until), at(until))).await;
        assert_eq!(used(&world, &ada, &month).await, expected, "until {until}");
    }
    world.store.inject(Fault::CommitThenUnknown, 1);
    world.apply(&meter(&ada, at(180), at(180))).await;
    assert_eq!(used(&world, &ada, &month).await, 80, "sent twice");
    world.apply(&meter(&ada, at(9_000), at(190))).await;
    assert_eq!(
        used(&world, &ada, &month).await,
        90,
        "nothing of the future"
    );

    world.apply(&power(&ada, Power::Off, 200)).await;
    assert_eq!(used(&world, &ada, &month).await, 100, "until it was off");
    world.apply(&meter(&ada, at(500), at(500))).await;
    world.apply(&power(&ada, Power::On, 600)).await;
    world.apply(&meter(&ada, at(590), at(601))).await;
    world.apply(&meter(&ada, at(700), at(700))).await;
    assert_eq!(
        used(&world, &ada, &month).await,
        100,
        "what was off, and what was not yet seen to run, is free"
    );
    world.apply(&meter(&ada, at(710), at(710))).await;
    assert_eq!(used(&world, &ada, &month).await, 110);

    let elsewhere = Meter {
        cell: "other".parse().unwrap(),
        ..meter(&ada, at(800), at(800))
    };
    world.apply(&elsewhere).await;
    let stranger = Meter {
        workspaces: vec![coditect_core::WorkspaceId::random()],
        ..meter(&ada, at(800), at(800))
    };
    world.apply(&stranger).await;
    assert_eq!(used(&world, &ada, &month).await, 110);
}

#[tokio::test]
async fn a_run_over_midnight_is_split_between_its_months() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let (begin, end) = (
        time("2027-12-31T23:59:50.5Z"),
        time("2028-03-01T00:00:10.25Z"),
    );
    // An observer looks every minute; this one is late.
    let mut until = begin;
    while until < end {
        world.apply(&meter(&ada, until, until)).await;
        until += SignedDuration::from_mins(5);
    }
    world.apply(&meter(&ada, end, end)).await;
    // Half a second waits for the next time; the second that crosses midnight belongs to the old month.
    let expected = [
        ("2027-12", 10),
        ("2028-01", 31 * 86_400),
        ("2028-02", 29 * 86_400),
        ("2028-03", 9),
        ("2028-04", 0),
    ];
    for (month, seconds) in expected {
        assert_eq!(used(&world, &ada, month).await, seconds, "{month}");
    }
    let later = time("2028-03-01T00:00:10.75Z");
    world.apply(&meter(&ada, later, later)).await;
    assert_eq!(used(&world, &ada, "2028-03").await, 10, "nothing is lost");
}

#[tokio::test]
async fn what_nobody_saw_run_is_not_charged() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    let month = month_of(at(0));
    for until in [0, 60] {
        world.apply(&meter(&ada, at(until), at(until))).await;
    }
    // Its node died; for three hours there was no other that would take the pod.
    for until in [10_860, 10_920] {
        world.apply(&meter(&ada, at(until), at(until))).await;
    }
    assert_eq!(used(&world, &ada, &month).await, 120);
    // And again, until the person gave up.
    world.apply(&power(&ada, Power::Off, 20_000)).await;
    assert_eq!(used(&world, &ada, &month).await, 120);
}

#[tokio::test]
async fn a_workspace_that_is_deleted_while_it_runs_is_charged_to_the_end() {
    let world = World::new().await;
    let ada = world.sign_up("ada@example.com").await;
    world.create(&ada, "second").await.unwrap();
    for until in [0, 60] {
        world.apply(&meter(&ada, at(until), at(until))).await;
    }
    world
        .done(&DeleteWorkspace {
            account: ada.account,
            workspace: ada.workspace,
            at: at(100),
        })
        .await;
    assert_eq!(used(&world, &ada, &month_of(at(0))).await, 100);
}

/// What happens to a workspace, `after` milliseconds after what happened before.
#[derive(Clone, Debug)]
enum Event {
    Power(Power),
    /// Metered until now, less `late` milliseconds: observers may be slow, or two at once.
    Meter {
        late: i64,
    },
}

fn events() -> impl Strategy<Value = Vec<(i64, Event, bool)>> {
    let event = prop_oneof![
        1 => Just(Event::Power(Power::On)),
        1 => Just(Event::Power(Power::Off)),
        4 => (0..40_000_i64).prop_map(|late| Event::Meter { late }),
    ];
    // Long enough pauses to cross a month now and then.
    let pause = prop_oneof![9 => 1..20_000_i64, 1 => 1..3_000_000_000_i64];
    prop::collection::vec((pause, event, any::<bool>()), 1..40)
}

/// The running time by definition: from when the run was first seen, to what was last counted or its end, without the
/// gaps in which nobody saw it; whole seconds of each piece.
#[derive(Default)]
struct Model {
    on_since: Option<i64>,
    begun: Option<i64>,
    until: i64,
    total: i64,
}

/// The longest gap that counts, in milliseconds.
const GAP: i64 = 300_000;

impl Model {
    fn power(&mut self, now: i64, power: Power) {
        match (power, self.on_since) {
            (Power::On, None) => self.on_since = Some(now),
            (Power::Off, Some(_)) => {
                self.meter(now, now, false);
                if let Some(begun) = self.begun {
                    self.total += (self.until - begun) / 1_000;
                }
                (self.on_since, self.begun) = (None, None);
            }
            _ => {}
        }
    }

    fn meter(&mut self, until: i64, _now: i64, begins: bool) {
        let Some(on_since) = self.on_since else {
            return;
        };
        if until < on_since {
            return;
        }
        // Since the last whole second that was counted.
        let unseen = |begun: i64| until - begun - (self.until - begun) / 1_000 * 1_000 > GAP;
        match self.begun {
            Some(begun) if unseen(begun) && begins => {
                self.total += (self.until - begun) / 1_000;
                (self.begun, self.until) = (Some(until), until);
            }
            Some(begun) if unseen(begun) => {}
            Some(_) => self.until = self.until.max(until),
            None if begins => (self.begun, self.until) = (Some(until), until),
            None => {}
        }
    }

    fn seconds(&self) -> i64 {
        self.total + self.begun.map_or(0, |begun| (self.until - begun) / 1_000)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_second_is_counted_twice_or_below_nothing(events in events()) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let world = World::new().await;
            let ada = world.sign_up("ada@example.com").await;
            let time = |millis: i64| at(0) + SignedDuration::from_millis(millis);
            let mut model = Model { on_since: Some(0), ..Model::default() };
            let (mut now, mut before, mut months) = (0, 0, vec![month_of(at(0))]);
            for (pause, event, twice) in events {
                now += pause;
                match event {
                    Event::Power(power) => {
                        let set = SetPower {
                            account: ada.account, workspace: ada.workspace, power, at: time(now),
                        };
                        let request = RequestId::random();
                        for _ in 0..=usize::from(twice) {
                            world.registry.apply(request, &set).await.unwrap();
                        }
                        model.power(now, power);
                    }
                    Event::Meter { late } => {
                        for _ in 0..=usize::from(twice) {
                            world.apply(&meter(&ada, time(now - late), time(now))).await;
                        }
                        model.meter(now - late, now, true);
                    }
                }
                let mut month = time(now);
                while !months.contains(&month_of(month)) {
                    months.push(month_of(month));
                    month -= SignedDuration::from_hours(24 * 28);
                }
                let mut seconds = 0;
                for month in &months {
                    seconds += used(&world, &ada, month).await;
                }
                let seconds = i64::try_from(seconds).unwrap();
                prop_assert_eq!(seconds, model.seconds());
                prop_assert!(seconds >= before, "usage sank");
                prop_assert!(seconds * 1_000 <= now, "more than there was time");
                before = seconds;
            }
            Ok(())
        })?;
    }
}
