//! Every process of the product and of the control plane is killed while people sign up, start and stop: what was
//! acknowledged is not lost, everything converges, and meanwhile the status says how far things have come.
//!
//! Two renderers, a lost push, an API server that restarts: elsewhere each of them has lost users or made writers
//! fight (fluxcd/image-automation-controller#1090, kargo#3071, argo-cd#24179).

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep;

use super::looks;
use crate::{
    Api, Context, During, Failure, Length, Person, Process, Product, Result, Scenario, World,
    ensure, ports, say, until,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "faults",
    purpose: "each process killed under load: nothing acknowledged is lost, all converges, the status says how far it is",
    expected: Duration::from_secs(240),
    length: Length::Long,
    run: |context| Box::pin(run(context)),
};

/// How many people sign up, start or stop at the same time.
const AT_ONCE: usize = 8;
/// How long one of them waits between two requests.
const PACE: Duration = Duration::from_millis(500);
/// How long anything may take after a fault, on a loaded machine of two cores.
const PATIENCE: Duration = Duration::from_secs(300);

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// `kill -9` of a part of the product.
    Product(&'static str),
    /// `kill -9` of a process of the control plane.
    Cluster(&'static str),
    /// Nobody serves Git, for so long.
    GitDown(Duration),
    /// Push events are lost: whether Argo CD's polling is to be waited for.
    WebhookLost(bool),
    /// A second observer, then without the first.
    TwoObservers,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Product(name) | Self::Cluster(name) => write!(formatter, "kill -9 of {name}"),
            Self::GitDown(time) => write!(formatter, "no Git for {} s", time.as_secs()),
            Self::WebhookLost(true) => formatter.write_str("push events lost until the poll"),
            Self::WebhookLost(false) => formatter.write_str("push events lost for a while"),
            Self::TwoObservers => formatter.write_str("two observers, then the other one"),
        }
    }
}

async fn run(context: &mut Context) -> Result {
    let full = context.full;
    let faults = [
        Fault::Product("renderer"),
        Fault::Product("observer"),
        Fault::Product("api"),
        Fault::Cluster("argocd-application-controller"),
        Fault::Cluster("argocd-repo-server"),
        Fault::Cluster("kube-apiserver"),
        Fault::GitDown(Duration::from_secs(if full { 60 } else { 8 })),
        Fault::WebhookLost(full),
        Fault::TwoObservers,
    ];
    let world = context.world().await?;
    let mut crowd = Crowd {
        people: Vec::new(),
        signed_up: 0,
        each_time: if full { 12 } else { 3 },
    };
    for fault in faults {
        let under_load = under_load(world, &mut crowd, fault);
        say::step(fault, under_load).await?;
    }
    say::step("everybody is known and served", crowd.nobody_lost(world)).await?;
    world.must_run()
}

/// Everybody who was acknowledged, and whether they asked for their workspace to run.
struct Crowd {
    people: Vec<(Person, bool)>,
    signed_up: usize,
    each_time: usize,
}

async fn under_load(world: &mut World, crowd: &mut Crowd, fault: Fault) -> Result {
    let api = world.product.api();
    let over = AtomicBool::new(false);
    let load = crowd.load(&api, &over);
    let breaking = async {
        let witness = fault.happens(world).await;
        over.store(true, Ordering::Relaxed);
        witness
    };
    let (load, witness) = tokio::join!(load, breaking);
    load?;
    crowd.people.extend(witness?);
    let began = Instant::now();
    crowd.converges().await?;
    looks::agree(world).await?;
    say::line(format!(
        "            {} people as they want, and all agree, {} later",
        crowd.people.len(),
        say::seconds(began.elapsed())
    ));
    world.must_run()
}

impl Crowd {
    /// People go on starting and stopping while others sign up, until the fault is over. A request counts when it
    /// is acknowledged, and is repeated until it is.
    async fn load(&mut self, api: &Api, over: &AtomicBool) -> Result {
        let newcomers = self.signed_up..self.signed_up + self.each_time;
        self.signed_up = newcomers.end;
        let signing = stream::iter(newcomers)
            .map(async |number| {
                let person = sign_up(api, &format!("faults-{number}@example.test")).await?;
                Result::Ok((person, true))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<_>>();
        let changing = stream::iter(&mut self.people)
            .map(async |(person, on)| {
                loop {
                    let action = if *on { "stop" } else { "start" };
                    until(format!("an answer to {action}"), PATIENCE, || async {
                        person.ask(action).await.map(drop)
                    })
                    .await?;
                    *on = !*on;
                    if over.load(Ordering::Relaxed) {
                        return Result::Ok(());
                    }
                    sleep(PACE).await;
                }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>();
        let (newcomers, changed) = tokio::join!(signing, changing);
        changed?;
        self.people.extend(newcomers?);
        Ok(())
    }

    /// Everybody's workspace is as they asked last, and nothing is said against it.
    async fn converges(&self) -> Result {
        for (person, on) in &self.people {
            let wanted = if *on { "ready" } else { "suspended" };
            let what = format!("{} to be {wanted}", person.workspace);
            until(what, PATIENCE, || async {
                let shown = person.shown().await?;
                ensure!(
                    shown["phase"] == wanted && shown["reason"].is_null(),
                    "{shown}"
                );
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// Everybody who was acknowledged can sign in and is who they were.
    async fn nobody_lost(&self, world: &World) -> Result {
        let api = world.product.api();
        for (person, _) in &self.people {
            let again = api.sign_in(&person.email).await?;
            ensure!(
                again.user == person.user && again.workspace == person.workspace,
                "{} is somebody else now",
                person.email
            );
        }
        Ok(())
    }
}

/// Signs up, and again until it is acknowledged: an answer that got lost may have been a yes.
async fn sign_up(api: &Api, email: &str) -> Result<Person> {
    until(format!("{email} to be signed up"), PATIENCE, || async {
        match api.sign_up(email).await {
            Ok(person) => Ok(person),
            Err(refused) => {
                let known = api.sign_in(email).await;
                known.map_err(|unknown| Failure::new(format!("{refused}; {unknown}")))
            }
        }
    })
    .await
}

impl Fault {
    /// It happens, somebody who signs up meanwhile sees how far that comes, and it is over.
    async fn happens(self, world: &mut World) -> Result<Option<(Person, bool)>> {
        match self {
            Self::Product("api") => {
                world.product.kill9("api").await?;
                // The others use its registry: they wait for it, and go on.
                world.product.restart("api").await?;
                Ok(None)
            }
            Self::Product(name) => {
                world.product.kill9(name).await?;
                let seen = witness(&world.product, name, stage(name)).await;
                world.product.restart(name).await?;
                seen
            }
            Self::Cluster(name) => {
                world.cluster.kill9(name).await?;
                let seen = witness(&world.product, name, stage(name)).await;
                world.cluster.restart(name).await?;
                seen
            }
            Self::GitDown(time) => {
                world.product.stop_part("renderer").await?;
                let seen = witness(&world.product, "git", "requested").await;
                sleep(time).await;
                world.product.restart("renderer").await?;
                seen
            }
            Self::WebhookLost(until_the_poll) => {
                let name = "argocd-server";
                world.cluster.kill9(name).await?;
                let wanted = if until_the_poll { "ready" } else { "committed" };
                let seen = witness(&world.product, name, wanted).await;
                world.cluster.restart(name).await?;
                seen
            }
            Self::TwoObservers => two_observers(world).await,
        }
    }
}

/// How far a sign-up comes without a process.
fn stage(missing: &str) -> &'static str {
    match missing {
        "renderer" => "requested",
        _ => "committed",
    }
}

/// Somebody signs up while something is missing: acknowledged, and the status says how far it has come.
async fn witness(product: &Product, missing: &str, stage: &str) -> Result<Option<(Person, bool)>> {
    let api = product.api();
    let email = format!("witness-{missing}@example.test");
    let person = sign_up(&api, &email).await?;
    until(format!("{stage}, without {missing}"), PATIENCE, || async {
        let shown = person.shown().await?;
        ensure!(
            shown["phase"] == stage,
            "{} {}",
            shown["phase"],
            shown["reason"]
        );
        Ok(())
    })
    .await?;
    Ok(Some((person, true)))
}

/// Two that do the same work do no harm; and either does all of it.
async fn two_observers(world: &mut World) -> Result<Option<(Person, bool)>> {
    let mut program = world.product.process("observer")?.program().clone();
    let port = ports::free()?;
    for argument in &mut program.arguments {
        if argument.to_string_lossy().starts_with("--listen=") {
            *argument = format!("--listen=127.0.0.1:{port}").into();
        }
    }
    program.name = "second observer".to_owned();
    program.log.set_file_name("second-observer.log");
    let mut second = Process::new(program);
    second.start_until_line(PATIENCE).await?;
    let api = world.product.api();
    let person = sign_up(&api, "two-observers@example.test").await?;
    looks::phase(&person, "ready").await?;
    world.product.kill9("observer").await?;
    person.ask("stop").await?;
    let alone = looks::phase(&person, "suspended").await;
    world.product.restart("observer").await?;
    alone.during("with the second one alone")?;
    second.must_run()?;
    second.stop().await?;
    Ok(Some((person, false)))
}
