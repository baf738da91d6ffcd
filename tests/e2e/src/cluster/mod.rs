//! A whole control plane as plain processes on loopback.

mod apply;
mod argocd;
mod certificates;
mod clients;
mod kubernetes;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use kube::Client;

use self::certificates::Authority;
pub use self::{apply::documents, argocd::ArgoCd};
use crate::{During, Failure, Machine, Process, Program, Result, Usage, ensure, ports, say, until};

/// How long a process may take until it answers. Machines that run tests are slow and do other things besides.
const LIMIT: Duration = Duration::from_secs(120);

/// What says that a process answers.
#[derive(Clone, Debug)]
enum Probe {
    /// A TCP connection is accepted on this port.
    Port(u16),
    /// A GET of this address succeeds.
    Http(String),
    /// The API server says that it is ready.
    ApiServer,
    /// It is enough that it runs; what it does is waited for elsewhere.
    Runs,
}

/// A control plane: etcd, API server, controller manager, scheduler and what stands in for nodes; with Argo CD once
/// that is [installed](Self::install_argocd).
///
/// When it is dropped its processes are killed. Its folder stays until that of the run is removed.
pub struct Cluster {
    name: String,
    machine: Machine,
    folder: PathBuf,
    authority: Authority,
    admin: PathBuf,
    client: Client,
    etcd: u16,
    api_server: u16,
    processes: Vec<(Process, Probe)>,
    argocd: Option<ArgoCd>,
}

impl Cluster {
    /// Starts one without Argo CD, in a folder of the run that has its name.
    ///
    /// Admission is the API server's own default: Pod Security, ResourceQuota, LimitRanger and
    /// ValidatingAdmissionPolicy among others. There are three nodes, and the StorageClass `standard-rwo`, whose
    /// volumes are folders below the cluster's folder and may grow.
    ///
    /// # Errors
    /// If a process does not get ready: with the end of its log.
    pub async fn start(machine: &Machine, name: &str) -> Result<Self> {
        let folder = machine.run.join(name);
        for sub in ["etcd", "log", "tmp", "home", "volumes"] {
            fs::create_dir_all(folder.join(sub)).during(folder.display())?;
        }
        let api_server = ports::free()?;
        let authority = Authority::new(&folder.join("identities"), api_server)?;
        let admin = authority.user("admin", Some("system:masters"))?;
        let client = clients::of(&admin).await?;
        let mut cluster = Self {
            name: name.to_owned(),
            machine: machine.clone(),
            folder,
            authority,
            admin,
            client,
            etcd: ports::free()?,
            api_server,
            processes: Vec::new(),
            argocd: None,
        };
        let started = cluster.start_kubernetes().await;
        started.during(format!("starting the cluster {name}"))?;
        Ok(cluster)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder of its data and logs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder that stands for what a volume holds, by the name of its PersistentVolume.
    #[must_use]
    pub fn volume(&self, name: &str) -> PathBuf {
        self.folder.join("volumes").join(name)
    }

    /// Argo CD, if it is installed.
    ///
    /// # Errors
    /// If it is not.
    pub fn argocd(&self) -> Result<&ArgoCd> {
        let none = || Failure::new(format!("the cluster {} has no Argo CD", self.name));
        self.argocd.as_ref().ok_or_else(none)
    }

    /// A process by its name: `etcd`, `kube-apiserver`, `kube-controller-manager`, `kube-scheduler`, `fakelet`,
    /// `redis`, `argocd-repo-server`, `argocd-application-controller`, `argocd-server`,
    /// `argocd-applicationset-controller`.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn process(&mut self, name: &str) -> Result<&mut Process> {
        let cluster = &self.name;
        self.processes
            .iter_mut()
            .map(|(process, _)| process)
            .find(|process| process.name() == name)
            .ok_or_else(|| Failure::new(format!("the cluster {cluster} has no process {name}")))
    }

    /// `kill -9` of a process.
    ///
    /// # Errors
    /// If it does not run.
    pub async fn kill9(&mut self, name: &str) -> Result {
        self.process(name)?.kill9().await
    }

    /// Starts a process again that has ended, and waits until it answers.
    ///
    /// # Errors
    /// If it runs, or does not get ready.
    pub async fn restart(&mut self, name: &str) -> Result {
        self.process(name)?.start_again().await?;
        self.answers(name).await
    }

    /// What each process has used.
    ///
    /// # Errors
    /// If one does not run.
    pub fn usage(&self) -> Result<BTreeMap<String, Usage>> {
        let of =
            |(process, _): &(Process, Probe)| Ok((process.name().to_owned(), process.usage()?));
        self.processes.iter().map(of).collect()
    }

    /// Fails if a process has ended that nobody stopped.
    ///
    /// # Errors
    /// The end of its log.
    pub fn must_run(&mut self) -> Result {
        self.processes
            .iter_mut()
            .try_for_each(|(process, _)| process.must_run())
    }

    /// Stops all processes, those that use others first.
    ///
    /// # Errors
    /// If one of them did not run any more, or had to be killed.
    pub async fn stop(mut self) -> Result {
        let mut first = Ok(());
        while let Some((mut process, _)) = self.processes.pop() {
            // Nothing of etcd and redis is needed any more.
            let ended = if ["etcd", "redis"].contains(&process.name()) {
                process.kill9().await
            } else {
                process.stop().await
            };
            first = first.and(ended.during(format!("stopping {}", process.name())));
        }
        first
    }

    /// Starts a program of the control plane; it is not ready yet.
    async fn run<A: Into<OsString>>(
        &mut self,
        name: &str,
        arguments: impl IntoIterator<Item = A>,
        environment: Vec<(OsString, OsString)>,
        probe: Probe,
    ) -> Result {
        let file = self.machine.program(name);
        self.run_file(name, file, arguments, environment, probe)
            .await
    }

    async fn run_file<A: Into<OsString>>(
        &mut self,
        name: &str,
        file: PathBuf,
        arguments: impl IntoIterator<Item = A>,
        mut environment: Vec<(OsString, OsString)>,
        probe: Probe,
    ) -> Result {
        let mut path = self.machine.stack.clone().into_os_string();
        path.push(":/usr/local/bin:/usr/bin:/bin");
        environment.extend([
            ("PATH".into(), path),
            ("HOME".into(), self.folder.join("home").into()),
            ("TMPDIR".into(), self.folder.join("tmp").into()),
        ]);
        let process = Process::start(Program {
            name: name.to_owned(),
            file,
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment,
            folder: self.folder.clone(),
            log: self.folder.join("log").join(format!("{name}.log")),
        });
        self.processes.push((process.await?, probe));
        Ok(())
    }

    /// Waits until a process answers.
    async fn answers(&mut self, name: &str) -> Result {
        let client = self.client.clone();
        let Some((process, probe)) = self
            .processes
            .iter_mut()
            .find(|(process, _)| process.name() == name)
        else {
            return Err(Failure::new(format!("there is no process {name}")));
        };
        let probe = probe.clone();
        let answers = until(format!("an answer of {name}"), LIMIT, || {
            let (client, probe) = (client.clone(), probe.clone());
            // A process that has ended is not waited for.
            let ended = process.must_run().err();
            async move {
                match ended {
                    Some(ended) => Ok(Err(ended)),
                    None => probe.ask(client).await.map(Ok),
                }
            }
        });
        answers.await?
    }

    /// A file below the cluster's folder, as an argument.
    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Prints what each process has used.
    ///
    /// # Errors
    /// If one does not run.
    pub fn show_usage(&self) -> Result {
        say::usage(&self.name, self.usage()?);
        Ok(())
    }
}

impl Probe {
    async fn ask(&self, client: Client) -> Result {
        match self {
            Self::Port(port) => {
                tokio::net::TcpStream::connect(("127.0.0.1", *port)).await?;
            }
            Self::Http(url) => {
                let answer = reqwest::get(url).await?;
                ensure!(answer.status().is_success(), "{url}: {}", answer.status());
            }
            Self::ApiServer => {
                let request = kube::core::request::Request::new("/readyz");
                // A list without parameters is a plain GET of the path.
                let request = request.list(&kube::api::ListParams::default())?;
                client.request_text(request).await?;
            }
            Self::Runs => {}
        }
        Ok(())
    }
}
