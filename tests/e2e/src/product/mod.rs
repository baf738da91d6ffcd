//! The product: its real programs, each a process of its own.

mod http;
mod policy;
mod seed;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use tokio::task::spawn_blocking;
use uuid::Uuid;

pub use self::{
    http::{Api, PASSWORD, Person},
    seed::Seeded,
};
use crate::{During, Failure, Machine, Process, Program, Result, Usage, ensure, ports, say};

/// How long a program may take until it says that it is ready.
const LIMIT: Duration = Duration::from_secs(60);

/// What an installation is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its one cell.
    pub cell: String,
    /// How the observer reaches the cell's cluster; none starts no observer.
    pub observer: Option<PathBuf>,
    /// Where push events go, and what they are signed with.
    pub webhook: Option<(String, String)>,
    /// How many people are there already when it starts: [`Product::seeded`].
    pub seeded: usize,
}

/// An installation: API, renderer and observer on one data folder.
///
/// When it is dropped its processes are killed.
pub struct Product {
    machine: Machine,
    folder: PathBuf,
    api: Api,
    repository: String,
    token: String,
    seeded: Vec<Seeded>,
    parts: BTreeMap<&'static str, Process>,
    ports: Vec<u16>,
}

impl Product {
    /// Starts one in an empty folder, with the sample policy for its cell.
    ///
    /// # Errors
    /// If a program does not get ready: with the end of its log.
    pub async fn start(machine: &Machine, folder: PathBuf, settings: &Settings) -> Result<Self> {
        for sub in ["data", "log", "home", "tmp"] {
            fs::create_dir_all(folder.join(sub)).during(folder.display())?;
        }
        let cell = &settings.cell;
        policy::plant(&machine.tree, &folder.join("data/policy"), cell)?;
        let seeded = seed::seed(&folder.join("data"), cell, settings.seeded).await?;
        let [api, git] = [ports::free()?, ports::free()?];
        let mut product = Self {
            machine: machine.clone(),
            api: Api::at(format!("http://127.0.0.1:{api}")),
            repository: format!("http://127.0.0.1:{git}/{cell}.git"),
            token: Uuid::new_v4().to_string(),
            parts: BTreeMap::new(),
            ports: Vec::new(),
            seeded,
            folder,
        };
        let arguments = [
            "--verification=none",
            "--plan-changes=self-service",
            "--no-rate-limits",
        ]
        .map(str::to_owned);
        product.part("api", api, arguments.to_vec()).await?;
        product
            .part(
                "renderer",
                ports::free()?,
                product.rendering(git, settings)?,
            )
            .await?;
        if let Some(kubeconfig) = &settings.observer {
            let cluster = format!("{cell}={}", kubeconfig.display());
            let arguments = vec!["--cluster".to_owned(), cluster];
            product.part("observer", ports::free()?, arguments).await?;
        }
        Ok(product)
    }

    fn rendering(&self, git: u16, settings: &Settings) -> Result<Vec<String>> {
        let mut arguments = vec![
            // A killed renderer is followed soon.
            "--lease-seconds=3".to_owned(),
            format!("--git-listen=127.0.0.1:{git}"),
            format!(
                "--git-token-file={}",
                self.secret("git-token", &self.token)?
            ),
        ];
        if let Some((url, secret)) = &settings.webhook {
            arguments.extend([
                format!("--webhook={url}"),
                format!(
                    "--webhook-secret-file={}",
                    self.secret("webhook-secret", secret)?
                ),
                format!("--webhook-repository={}", self.repository),
            ]);
        }
        Ok(arguments)
    }

    /// A file that its owner alone may read.
    fn secret(&self, name: &str, secret: &str) -> Result<String> {
        let file = self.folder.join(name);
        let mut options = fs::File::options();
        let mut open = options
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&file)?;
        std::io::Write::write_all(&mut open, secret.as_bytes())?;
        Ok(file.display().to_string())
    }

    /// The API.
    #[must_use]
    pub fn api(&self) -> Api {
        self.api.clone()
    }

    /// What a monitor reads of every process: health and metrics.
    #[must_use]
    pub fn monitored(&self) -> Vec<String> {
        let of = |port: &u16| {
            ["health", "metrics"].map(|what| format!("http://127.0.0.1:{port}/{what}"))
        };
        self.ports.iter().flat_map(of).collect()
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The policy that people write: `tenants/` and `templates/` below it. A change is in force soon after.
    #[must_use]
    pub fn policy(&self) -> PathBuf {
        self.data().join("policy")
    }

    /// The bare repository of a cell.
    #[must_use]
    pub fn bare(&self, cell: &str) -> PathBuf {
        self.data().join("cells").join(format!("{cell}.git"))
    }

    /// The address of the cell's repository for Argo CD, and the password of its user `argocd`.
    #[must_use]
    pub fn repository(&self) -> (&str, &str) {
        (&self.repository, &self.token)
    }

    /// Those who were there before it started.
    #[must_use]
    pub fn seeded(&self) -> &[Seeded] {
        &self.seeded
    }

    /// A process: `api`, `renderer` or `observer`.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn process(&mut self, name: &str) -> Result<&mut Process> {
        let none = || Failure::new(format!("the product has no process {name}"));
        self.parts.get_mut(name).ok_or_else(none)
    }

    /// `kill -9` of a process.
    ///
    /// # Errors
    /// If it does not run.
    pub async fn kill9(&mut self, name: &str) -> Result {
        self.process(name)?.kill9().await
    }

    /// Asks a process to end in order.
    ///
    /// # Errors
    /// If it does not run, or does not end.
    pub async fn stop_part(&mut self, name: &str) -> Result {
        self.process(name)?.stop().await
    }

    /// Starts a process again that has ended, and waits until it says that it is ready.
    ///
    /// # Errors
    /// If it runs, or does not get ready.
    pub async fn restart(&mut self, name: &str) -> Result<Value> {
        let line = self.process(name)?.start_until_line(LIMIT).await?;
        serde_json::from_str(&line).during(format!("{name} says {line}"))
    }

    /// What each process has used.
    ///
    /// # Errors
    /// If one does not run.
    pub fn usage(&self) -> Result<BTreeMap<String, Usage>> {
        let of = |(name, process): (&&str, &Process)| Ok(((*name).to_owned(), process.usage()?));
        self.parts.iter().map(of).collect()
    }

    /// Prints what each process has used.
    ///
    /// # Errors
    /// If one does not run.
    pub fn show_usage(&self) -> Result {
        say::usage("product", self.usage()?);
        Ok(())
    }

    /// Fails if a process has ended that nobody stopped.
    ///
    /// # Errors
    /// The end of its log.
    pub fn must_run(&mut self) -> Result {
        self.parts.values_mut().try_for_each(Process::must_run)
    }

    /// Runs a command of the program on the data folder, such as `["verify"]`; gives its exit status and the JSON
    /// that it printed, null if it is none.
    ///
    /// # Errors
    /// If it cannot be run, or was killed.
    pub async fn command(&self, arguments: &[&str]) -> Result<(i32, Value)> {
        let mut command = Command::new(&self.machine.coditect);
        command
            .args(arguments)
            .arg("--data")
            .arg(self.data())
            .args(["--output", "json"])
            .env_clear()
            .envs(environment(&self.folder))
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        let Output {
            status,
            stdout,
            stderr,
        } = spawn_blocking(move || command.output()).await??;
        let said = String::from_utf8_lossy(&stderr);
        let Some(code) = status.code() else {
            return Err(Failure::new(format!("{arguments:?}: {status}: {said}")));
        };
        let answer = serde_json::from_slice(&stdout).unwrap_or(Value::Null);
        ensure!(
            code == 0 || !answer.is_null() || !said.is_empty(),
            "{arguments:?} says nothing"
        );
        if answer.is_null() && !said.is_empty() {
            return Ok((code, Value::String(said.into_owned())));
        }
        Ok((code, answer))
    }

    /// Stops all processes.
    ///
    /// # Errors
    /// If one of them did not run any more, or had to be killed.
    pub async fn stop(mut self) -> Result {
        let mut first = Ok(());
        // The API has the registry that the others use.
        for name in ["observer", "renderer", "api"] {
            if let Some(mut process) = self.parts.remove(name) {
                first = first.and(process.stop().await.during(format!("stopping {name}")));
            }
        }
        first
    }

    /// Starts a subcommand as a process that listens on a port.
    async fn part(&mut self, name: &'static str, port: u16, more: Vec<String>) -> Result {
        let mut arguments = vec![
            name.to_owned(),
            format!("--data={}", self.data().display()),
            format!("--listen=127.0.0.1:{port}"),
            "--output=json".to_owned(),
            "--log=info".to_owned(),
        ];
        arguments.extend(more);
        let process = Process::new(Program {
            name: name.to_owned(),
            file: self.machine.coditect.clone(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: environment(&self.folder)
                .map(|(key, value)| (key.into(), value.into()))
                .into(),
            folder: self.folder.clone(),
            log: self.folder.join("log").join(format!("{name}.log")),
        });
        self.parts.insert(name, process);
        self.ports.push(port);
        self.restart(name).await.map(drop)
    }
}

fn environment(folder: &Path) -> [(&'static str, PathBuf); 3] {
    [
        ("PATH", PathBuf::from("/usr/local/bin:/usr/bin:/bin")),
        ("HOME", folder.join("home")),
        ("TMPDIR", folder.join("tmp")),
    ]
}
