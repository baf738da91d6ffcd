//! Somebody is erased. Nothing that is theirs is found any more, byte by byte, in Git, in the registry's file, in etcd,
//! in any object of the API server, in Argo CD's cache, in any log; and nobody brings them back.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use coditect_core::{CellName, UserId};
use coditect_registry::{Registry, store::embedded::EmbeddedStore};
use flate2::read::MultiGzDecoder;
use reqwest::Method;
use serde_json::json;

use super::looks::{self, LIMIT, Live};
use crate::{
    CELL, Context, During, Length, PASSWORD, Person, Result, Scenario, World, ensure, fail, say,
    until,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "erasure",
    purpose: "a byte search of Git, store, cluster and logs finds nothing of an erased person; nobody brings them back",
    expected: Duration::from_secs(60),
    length: Length::Long,
    run: |context| Box::pin(run(context)),
};

const EMAIL: &str = "q.wolkenstein@erasure.example.test";
const NAME: &str = "Quirina Aurelia";
const FIRST: &str = "Opus Halcyon";
const SECOND: &str = "Kumquat Ledger";
/// What is searched for, in whatever case: parts of all that the person gave.
const THEIRS: [&str; 4] = ["wolkenstein", "quirina", "halcyon", "kumquat"];
/// The processes of an installation, in the order in which they start.
const PARTS: [&str; 3] = ["api", "renderer", "observer"];

async fn run(context: &mut Context) -> Result {
    let dumps = context.machine.run.join("erasure");
    let world = context.world().await?;
    let person = say::step("somebody lives here", somebody(world)).await?;
    let ids = [person.user.as_str()];
    let seen = say::step("a search finds them", search(world, &dumps, &ids)).await?;
    finds_every_place(&seen)?;
    let registry = world.product.data().join("registry.redb");
    let seen = grep(std::slice::from_ref(&registry), &THEIRS)?;
    ensure!(
        seen == [registry],
        "the registry does not know them: {seen:?}"
    );

    say::step("they are erased", erased(world, &person)).await?;
    for part in PARTS.into_iter().rev() {
        world.product.stop_part(part).await?;
    }
    a_tombstone_stays(world, &person).await?;
    let (code, said) = world.product.command(&["registry", "compact"]).await?;
    ensure!(code == 0, "compact ends with {code}: {said}");
    let seen = say::step("a search finds nothing", search(world, &dumps, &THEIRS)).await?;
    ensure!(seen.is_empty(), "something of theirs is in {seen:?}");
    say::step("nobody brings them back", nobody_returns(world, &person)).await?;
    fs::remove_dir_all(dumps)?;
    looks::agree(world).await
}

/// Somebody with names of their own choice, two workspaces, and a sleep.
async fn somebody(world: &World) -> Result<Person> {
    let person = world.product.api().sign_up(EMAIL).await?;
    let named = json!({"display_name": NAME});
    person
        .must(Method::PATCH, "/api/v5/me", Some(&named))
        .await?;
    let plan = json!({"plan": "starter"});
    person
        .must(Method::PUT, "/api/v5/tenant/plan", Some(&plan))
        .await?;
    let first = format!("/api/v5/workspaces/{}", person.workspace);
    let named = json!({"name": FIRST});
    person.must(Method::PATCH, &first, Some(&named)).await?;
    let named = json!({"name": SECOND});
    let second = person
        .must(Method::POST, "/api/v5/workspaces", Some(&named))
        .await?;
    looks::phase(&person, "ready").await?;
    let second = second["id"].as_str().unwrap_or_default();
    looks::phase_of(&person, second, "ready").await?;
    person.ask("stop").await?;
    looks::phase(&person, "suspended").await?;
    Ok(person)
}

async fn erased(world: &World, person: &Person) -> Result {
    let now = json!({"password": PASSWORD, "mode": "now"});
    person
        .must(Method::DELETE, "/api/v5/me", Some(&now))
        .await?;
    let live = Live::of(&world.cluster, person);
    until(
        "the reaper to have removed the namespace",
        LIMIT,
        || async {
            let said = looks::reap(world).await?;
            let there = live.namespaces.get_opt(&live.namespace).await?;
            ensure!(there.is_none(), "it is there; the reaper says {said}");
            Ok(())
        },
    )
    .await?;
    ensure!(
        looks::file(&world.product, person)?.is_none(),
        "removed from the cluster and in Git"
    );
    // What proves it: the commit that removed the file, and says that the person asked for it.
    let of = format!(":(glob)shards/*/{}.yaml", person.user);
    let removed = [
        "log",
        "--diff-filter=D",
        "--format=%B",
        "refs/heads/main",
        "--",
        &of,
    ];
    let message = looks::git(&world.product, &removed)?;
    let asked = message
        .lines()
        .find_map(|line| line.strip_prefix("Coditect-Deleted-Requested: "));
    ensure!(asked.is_some_and(|number| number != "0"), "{message}");
    Ok(())
}

/// The id is remembered as deleted; the installation is stopped meanwhile.
async fn a_tombstone_stays(world: &World, person: &Person) -> Result {
    let store = EmbeddedStore::open(world.product.data().join("registry.redb"))?;
    let registry = Registry::open(store).await?;
    let (cell, user): (CellName, UserId) = (CELL.parse()?, person.user.parse()?);
    let tombstone = registry.view().await?.user_tombstone(&cell, user).await?;
    let Some(tombstone) = tombstone else {
        fail!("the registry has forgotten that {user} was deleted");
    };
    ensure!(tombstone.requested, "the person's own request is forgotten");
    Ok(())
}

/// A full reconcile without anything else running, then everything as before; then the same address again.
async fn nobody_returns(world: &mut World, person: &Person) -> Result {
    let (code, said) = world.product.command(&["renderer", "--once"]).await?;
    ensure!(code == 0, "a full reconcile ends with {code}: {said}");
    for part in PARTS {
        world.product.restart(part).await?;
    }
    let api = world.product.api();
    ensure!(api.sign_in(EMAIL).await.is_err(), "they can sign in");
    let again = api.sign_up(EMAIL).await?;
    ensure!(
        again.user != person.user && again.workspace != person.workspace,
        "ids come back"
    );
    looks::phase(&again, "ready").await?;
    ensure!(
        looks::file(&world.product, person)?.is_none(),
        "they are in Git again"
    );
    Live::of(&world.cluster, person).no_namespace().await
}

/// The search finds an id in every place: otherwise it would prove nothing that it finds nothing later.
fn finds_every_place(seen: &[PathBuf]) -> Result {
    for place in [
        "registry.redb",
        "objects-of-local.git",
        "etcd/",
        "objects.json",
        "redis",
        "kube-apiserver.log",
        "argocd-application-controller.log",
    ] {
        let found = seen
            .iter()
            .any(|file| file.display().to_string().contains(place));
        ensure!(found, "an id is not found in {place}, only in {seen:?}");
    }
    Ok(())
}

/// Every file that holds one of the words, in whatever case: all that processes have written (data, caches, logs),
/// and what is packed or served otherwise, unpacked into files below `dumps`.
async fn search(world: &mut World, dumps: &Path, words: &[&str]) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(dumps)?;
    let data = world.product.data();
    let repositories = [
        world.product.bare(CELL),
        world.product.policy().join(".git"),
    ];
    for repository in repositories {
        let name = repository
            .file_name()
            .unwrap_or_default()
            .display()
            .to_string();
        git_objects(&repository, &dumps.join(format!("objects-of-{name}")))?;
    }
    let kinds = ["api-resources", "--verbs=list", "--output=name"];
    let kinds = world.cluster.kubectl(&kinds).await?;
    let kinds: Vec<&str> = kinds.lines().collect();
    let all = [
        "get",
        &kinds.join(","),
        "--all-namespaces",
        "--output=json",
        "--show-managed-fields",
    ];
    let objects = world.cluster.kubectl(&all).await?;
    fs::write(dumps.join("objects.json"), objects)?;
    redis(&redis_port(world)?, &dumps.join("redis"))?;
    let product = data.parent().unwrap_or(&data).to_owned();
    let folders = [product, world.cluster.folder().to_owned(), dumps.to_owned()];
    grep(&folders, words)
}

/// Writes every object of a repository, reachable or not, into a file.
fn git_objects(repository: &Path, file: &Path) -> Result {
    let status = Command::new("git")
        .arg("--git-dir")
        .arg(repository)
        .args(["cat-file", "--batch-all-objects", "--batch"])
        .stdout(File::create(file)?)
        .status()?;
    ensure!(
        status.success(),
        "git cat-file of {}: {status}",
        repository.display()
    );
    Ok(())
}

fn redis_port(world: &mut World) -> Result<String> {
    let arguments = &world.cluster.process("redis")?.program().arguments;
    let port = arguments
        .iter()
        .skip_while(|argument| *argument != "--port")
        .nth(1);
    let Some(port) = port else {
        fail!("redis has no port");
    };
    Ok(port.display().to_string())
}

/// Writes every key and value of Argo CD's cache into a file, unpacked.
fn redis(port: &str, file: &Path) -> Result {
    let ask = |arguments: &[&str]| {
        let answer = Command::new("redis-cli")
            .args(["-h", "127.0.0.1", "-p", port, "--raw"])
            .args(arguments)
            .stdin(Stdio::null())
            .output();
        answer.during("redis-cli")
    };
    let keys = String::from_utf8(ask(&["--scan"])?.stdout)?;
    let mut file = File::create(file)?;
    for key in keys.lines() {
        let value = ask(&["GET", key])?.stdout;
        writeln!(file, "{key}")?;
        file.write_all(&value)?;
        // What cannot be unpacked was not packed.
        let mut unpacked = Vec::new();
        if MultiGzDecoder::new(value.as_slice())
            .read_to_end(&mut unpacked)
            .is_ok()
            || !unpacked.is_empty()
        {
            file.write_all(&unpacked)?;
        }
    }
    Ok(())
}

/// The files in and below these that hold one of the words as bytes, in whatever case.
fn grep(places: &[PathBuf], words: &[&str]) -> Result<Vec<PathBuf>> {
    let output = Command::new("grep")
        .args(["-r", "-l", "-a", "-i", "-F", "--devices=skip"])
        .args(words.iter().flat_map(|word| ["-e", word]))
        .arg("--")
        .args(places)
        .env("LC_ALL", "C")
        .output()
        .during("grep")?;
    // 1 says that there is nothing; 2 that a file could not be read, such as one that is gone by now.
    let said = String::from_utf8_lossy(&output.stderr);
    let unread = said.lines().find(|line| !line.contains("No such file"));
    ensure!(unread.is_none(), "grep: {said}");
    let found = String::from_utf8(output.stdout)?;
    Ok(found.lines().map(PathBuf::from).collect())
}
