//! Running scenarios, one after another.

use std::{
    panic::AssertUnwindSafe,
    path::PathBuf,
    time::{Duration, Instant},
};

use futures::{FutureExt, future::LocalBoxFuture};
use tokio::signal::unix::{SignalKind, signal};

use crate::{Cluster, Failure, Machine, Result, World, say, scenario::SCENARIOS};

/// How much longer than expected a scenario may take until it is given up: machines differ.
const PATIENCE: u32 = 6;

/// When a scenario is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Always.
    Quick,
    /// With `--full`, or if it is named.
    Long,
}

/// Something that the product must do.
pub struct Scenario {
    /// Its name, by which it can be run alone.
    pub name: &'static str,
    /// What it proves, in a line.
    pub purpose: &'static str,
    /// How long it takes on two cores.
    pub expected: Duration,
    /// When it is run.
    pub length: Length,
    /// What it does.
    pub run: for<'a> fn(&'a mut Context) -> LocalBoxFuture<'a, Result>,
}

/// What a scenario works with.
pub struct Context {
    /// Where programs and folders are.
    pub machine: Machine,
    /// True at full size.
    pub full: bool,
    /// The name of the scenario.
    pub name: &'static str,
    shared: Option<World>,
    /// How many shared worlds there were: one that a failed scenario left is not started again in its folders.
    worlds: u32,
}

impl Context {
    /// The world that scenarios share, started by the first that wants it. A scenario brings its own people, and
    /// leaves every process running and the policy as it was.
    ///
    /// # Errors
    /// If it does not start, or a process of it has ended since.
    pub async fn world(&mut self) -> Result<&mut World> {
        match &mut self.shared {
            Some(world) => world.must_run()?,
            None => {
                self.worlds += 1;
                let name = format!("shared-{}", self.worlds);
                let start = World::start(&self.machine, &name);
                self.shared = Some(say::step("the shared world starts", start).await?);
            }
        }
        self.shared
            .as_mut()
            .ok_or_else(|| Failure::new("the shared world is gone"))
    }

    /// A world of the scenario's own, to be broken as it likes; `name` is unique in the scenario.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn own_world(&self, name: &str) -> Result<World> {
        World::start(&self.machine, &format!("{}-{name}", self.name)).await
    }

    /// A cluster of the scenario's own, without Argo CD.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn own_cluster(&self, name: &str) -> Result<Cluster> {
        Cluster::start(&self.machine, &format!("{}-{name}", self.name)).await
    }
}

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Parts of scenarios' names; none for all.
    pub words: Vec<String>,
    /// Also the long ones, and the others at their full size.
    pub full: bool,
    /// Keep logs and data, also of what succeeds.
    pub keep: bool,
    /// Only print what there is.
    pub list: bool,
    /// The product's program, if it is not the one beside this one.
    pub program: Option<PathBuf>,
    /// The source tree, with the manifests under test.
    pub tree: PathBuf,
    /// The folder of the built control plane and of the runs' data.
    pub cache: PathBuf,
}

impl Options {
    fn wants(&self, scenario: &Scenario) -> bool {
        if self.words.is_empty() {
            return self.full || scenario.length == Length::Quick;
        }
        self.words.iter().any(|word| scenario.name.contains(word))
    }
}

/// Runs scenarios and prints how they went. True if all succeeded.
///
/// # Errors
/// If nothing can be run here.
pub fn run(options: Options) -> Result<bool> {
    let chosen: Vec<&Scenario> = SCENARIOS
        .iter()
        .filter(|scenario| options.wants(scenario))
        .collect();
    if options.list {
        list();
        return Ok(true);
    }
    if chosen.is_empty() {
        return Err(Failure::new(
            "no scenario has such a name; --list prints them",
        ));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut context = Context {
            machine: Machine::new(&options.tree, &options.cache, options.program.as_deref())
                .await?,
            full: options.full,
            name: "",
            shared: None,
            worlds: 0,
        };
        let all = run_all(&mut context, &chosen);
        let succeeded = tokio::select! {
            succeeded = all => succeeded,
            () = interrupted() => {
                say::line("interrupted");
                false
            }
        };
        // Whatever still runs is killed before its folder goes.
        drop(context.shared.take());
        context.machine.tidy(options.keep || !succeeded)?;
        Ok(succeeded)
    })
}

async fn run_all(context: &mut Context, chosen: &[&Scenario]) -> bool {
    let began = Instant::now();
    let mut failed = Vec::new();
    for scenario in chosen {
        say::line(format!("{}: {}", scenario.name, scenario.purpose));
        context.name = scenario.name;
        let began = Instant::now();
        let outcome = run_one(context, scenario).await;
        let took = say::seconds(began.elapsed());
        match outcome {
            Ok(()) => say::line(format!("  ok {} in {took}", scenario.name)),
            Err(failure) => {
                say::line(format!(
                    "  FAILED {} after {took}: {failure}",
                    scenario.name
                ));
                failed.push(scenario.name);
                // What a failed scenario leaves behind would only make the next ones fail.
                drop(context.shared.take());
            }
        }
    }
    if let Some(world) = context.shared.take()
        && let Err(failure) = world.stop().await
    {
        say::line(format!("  FAILED stopping the shared world: {failure}"));
        failed.push("stopping the shared world");
    }
    say::line(format!(
        "{} scenarios in {}; {} failed{}{}",
        chosen.len(),
        say::seconds(began.elapsed()),
        failed.len(),
        if failed.is_empty() { "" } else { ": " },
        failed.join(", ")
    ));
    failed.is_empty()
}

async fn run_one(context: &mut Context, scenario: &Scenario) -> Result {
    let limit = scenario.expected * PATIENCE;
    let run = AssertUnwindSafe((scenario.run)(context)).catch_unwind();
    match tokio::time::timeout(limit, run).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(Failure::new(format!("panicked: {}", words(&*panic)))),
        Err(_) => Err(Failure::new(format!(
            "given up after {} s",
            limit.as_secs()
        ))),
    }
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
        .unwrap_or_default()
}

async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

fn list() {
    say::table(
        ["scenario", "", "about", "what it proves"],
        SCENARIOS.iter().map(|scenario| {
            [
                scenario.name.to_owned(),
                format!("{:?}", scenario.length).to_lowercase(),
                format!("{} s", scenario.expected.as_secs()),
                scenario.purpose.to_owned(),
            ]
        }),
    );
}
