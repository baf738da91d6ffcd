use coditect_core::{
    AccountId, Activity, CellSummary, Limits, NoticeKind, Plan, PodSize, Power, Readiness,
    TenantId, UserIntent, WorkspaceIntent,
};
use coditect_registry::{
    operation::{AdoptUser, NoteActivity, SetPower},
    record::{PowerCause, PowerState},
    store::memory::MemoryStore,
};

use super::*;

/// A registry with one workspace that is on since [`at`] 0.
struct Desk {
    registry: Registry,
    account: AccountId,
    user: UserId,
    workspace: WorkspaceId,
    policy: Catalogue,
    usage: Usage,
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + 60 * minute).unwrap()
}

fn cell() -> CellName {
    "local".parse().unwrap()
}

fn policy() -> Catalogue {
    let pod = PodSize {
        cpu_millis: 1_000,
        cpu_request_millis: 100,
        memory_mib: 1_024,
        ephemeral_storage_mib: 1_024,
        pids: 256,
    };
    let limits = Limits {
        storage_gib: 1,
        hours_per_month: 2,
        llm_requests_per_month: 100,
        workspaces: 1,
        idle_minutes: 30,
        pod,
    };
    let plan = Plan {
        name: "free".parse().unwrap(),
        price_cents_per_month: 0,
        limits,
    };
    let summary = CellSummary {
        name: cell(),
        capacity: 100,
        closed: false,
        held: false,
        readiness: Readiness::Gateway,
        storage_class: "standard-rwo".parse().unwrap(),
        domain: "workspaces.localhost".to_owned(),
    };
    Catalogue {
        plans: [(plan.name.clone(), plan.clone())].into(),
        default_plan: Some(plan.name),
        cells: [(cell(), summary)].into(),
        grace_days: 7,
        ..Catalogue::default()
    }
}

impl Desk {
    async fn new() -> Self {
        let registry = Registry::open(MemoryStore::new()).await.unwrap();
        let (account, user) = (AccountId::random(), UserId::random());
        let workspace = WorkspaceId::random();
        let intent = UserIntent {
            user,
            tenant: TenantId::random(),
            cell: cell(),
            shard: "00".parse().unwrap(),
            generation: 1,
            plan: "free".parse().unwrap(),
            ring: None,
            standing: Default::default(),
            workspaces: vec![WorkspaceIntent {
                id: workspace,
                slug: "calm-lake-2abcd".parse().unwrap(),
                storage_gib: 1,
                storage_class: "standard-rwo".parse().unwrap(),
                standing: Default::default(),
            }],
        };
        let adopt = AdoptUser {
            intent,
            account,
            at: at(0),
        };
        registry.apply(RequestId::random(), &adopt).await.unwrap();
        let desk = Self {
            usage: Usage::new(cell(), registry.clone()),
            policy: policy(),
            registry,
            account,
            user,
            workspace,
        };
        desk.start(at(0)).await;
        desk
    }

    async fn start(&self, at: Timestamp) {
        let on = SetPower {
            account: self.account,
            workspace: self.workspace,
            power: Power::On,
            at,
        };
        self.registry.apply(RequestId::random(), &on).await.unwrap();
    }

    async fn users(&self) -> Vec<UserRuntime> {
        let mut view = self.registry.view().await.unwrap();
        view.runtimes_after(&cell(), None, 10).await.unwrap().0
    }

    async fn power(&self) -> PowerState {
        self.users().await[0].workspaces[0].power.clone()
    }

    /// What is told at a minute, to a workspace of which its gateway says that its person last did something at `input`.
    async fn step(&mut self, minute: i64, input: Option<i64>) -> Vec<NoticeKind> {
        let beat = NoteActivity {
            cell: cell(),
            workspace: self.workspace,
            activity: Activity {
                input_at: input.map(at),
                output_at: None,
                reported_at: at(minute),
            },
            at: at(minute),
        };
        let noted = self.registry.apply(RequestId::random(), &beat).await;
        assert!(noted.unwrap());
        let users = self.users().await;
        let running = [self.workspace].into();
        let told = self
            .usage
            .step(&users, &running, &self.policy, at(minute))
            .await
            .unwrap();
        let told = &told[&self.workspace];
        told.iter().map(|notice| notice.kind).collect()
    }
}

#[tokio::test]
async fn who_does_nothing_is_warned_then_suspended_and_may_wake_again() {
    let mut desk = Desk::new().await;
    for minute in [0, 10, 24] {
        assert_eq!(desk.step(minute, None).await, [], "{minute}");
    }
    assert_eq!(desk.step(26, None).await, [NoticeKind::Idle]);
    // Somebody types: the warning goes, and the time begins anew.
    assert_eq!(desk.step(27, Some(27)).await, []);
    assert_eq!(desk.step(51, Some(27)).await, []);
    assert_eq!(desk.power().await.power, Power::On);
    assert_eq!(desk.step(53, Some(27)).await, [NoticeKind::Idle]);
    desk.step(57, Some(27)).await;
    let power = desk.power().await;
    assert_eq!((power.power, power.cause), (Power::Off, PowerCause::Idle));
    desk.start(at(58)).await;
    assert_eq!(desk.step(58, None).await, []);
    assert_eq!(desk.power().await.power, Power::On);
}

#[tokio::test]
async fn the_hours_of_the_plan_are_counted_and_end_what_runs() {
    let mut desk = Desk::new().await;
    for minute in 0..120 {
        desk.step(minute, Some(minute)).await;
        assert_eq!(desk.power().await.power, Power::On, "{minute}");
    }
    let month = month_of(at(119));
    let mut view = desk.registry.view().await.unwrap();
    assert_eq!(
        view.usage_seconds(desk.user, &month).await.unwrap(),
        119 * 60
    );
    desk.step(120, Some(120)).await;
    let power = desk.power().await;
    assert_eq!((power.power, power.cause), (Power::Off, PowerCause::Hours));
}

#[tokio::test]
async fn what_does_not_run_is_not_counted() {
    let mut desk = Desk::new().await;
    let users = desk.users().await;
    let told = desk
        .usage
        .step(&users, &BTreeSet::new(), &desk.policy, at(5))
        .await
        .unwrap();
    assert!(told.is_empty());
    let mut view = desk.registry.view().await.unwrap();
    let month = month_of(at(5));
    assert_eq!(view.usage_seconds(desk.user, &month).await.unwrap(), 0);
}
