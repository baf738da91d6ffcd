//! Which store holds the registry, and how it is reached.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::{Args, ValueEnum};
use coditect_core::{Error, Result};
use coditect_registry::store::{
    Store,
    fdb::{NEWEST_API_VERSION, NetworkOptions, OLDEST_API_VERSION, Options, Place, Tls},
};

/// What holds the registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    /// A file in the installation's folder, for one machine: one process has it, the others ask that.
    #[default]
    Embedded,
    /// A FoundationDB cluster: every process connects by itself. Needs a program built for it.
    Fdb,
}

/// Which store holds the registry.
#[derive(Clone, Debug, Args)]
pub(crate) struct StoreOptions {
    /// What holds the registry.
    #[arg(
        long = "registry",
        id = "registry_store",
        global = true,
        value_name = "STORE",
        value_enum,
        default_value_t,
        env = "CODITECT_REGISTRY"
    )]
    kind: StoreKind,

    #[command(flatten)]
    fdb: Fdb,
}

/// How a FoundationDB cluster is reached. They count with `--registry fdb` alone.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "FoundationDB")]
struct Fdb {
    /// The cluster file. The client rewrites it when the cluster's coordinators change, so it and its folder must be
    /// writable. Without it, where the client looks by itself.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "FILE",
        env = "FDB_CLUSTER_FILE"
    )]
    fdb_cluster_file: Option<PathBuf>,

    /// What the registry's keys stand behind: the subspace of this name.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "NAME",
        default_value = "coditect",
        env = "CODITECT_FDB_PREFIX"
    )]
    fdb_prefix: String,

    /// A directory of the cluster's directory layer in place of a prefix, as `one/within/another`; made if it is not
    /// there.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "PATH",
        conflicts_with = "fdb_prefix",
        env = "CODITECT_FDB_DIRECTORY"
    )]
    fdb_directory: Option<String>,

    /// How long one transaction may take with all its attempts, and so how long an answer waits for a cluster out of
    /// reach; 0: as long as it takes.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "N",
        default_value_t = 10,
        env = "CODITECT_FDB_TIMEOUT_SECONDS"
    )]
    fdb_timeout_seconds: u64,

    /// How often one transaction is tried again.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "N",
        default_value_t = 64,
        env = "CODITECT_FDB_RETRY_LIMIT"
    )]
    fdb_retry_limit: u32,

    /// This program's certificate chain (PEM), for a cluster that encrypts.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "FILE",
        env = "FDB_TLS_CERTIFICATE_FILE"
    )]
    fdb_tls_certificate_file: Option<PathBuf>,

    /// Its private key (PEM).
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "FILE",
        env = "FDB_TLS_KEY_FILE"
    )]
    fdb_tls_key_file: Option<PathBuf>,

    /// A file with the private key's password.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "FILE",
        env = "CODITECT_FDB_TLS_PASSWORD_FILE"
    )]
    fdb_tls_password_file: Option<PathBuf>,

    /// Who vouches for the cluster's certificates (PEM).
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "FILE",
        env = "FDB_TLS_CA_FILE"
    )]
    fdb_tls_ca_file: Option<PathBuf>,

    /// What the cluster's certificates must say, as FoundationDB's `tls_verify_peers`.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "PATTERN",
        env = "FDB_TLS_VERIFY_PEERS"
    )]
    fdb_tls_verify_peers: Option<String>,

    /// A further client library, for a cluster of another version; may be given several times.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "FILE",
        value_delimiter = ',',
        env = "CODITECT_FDB_CLIENT_LIBRARIES"
    )]
    fdb_client_library: Vec<PathBuf>,

    /// A folder of further client libraries.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "DIR",
        env = "CODITECT_FDB_CLIENT_DIRECTORY"
    )]
    fdb_client_directory: Option<PathBuf>,

    /// Connect through those further libraries alone.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        env = "CODITECT_FDB_DISABLE_LOCAL_CLIENT"
    )]
    fdb_disable_local_client: bool,

    /// The API version asked of every client library: lower it where an older library takes part.
    #[arg(long, global = true, hide_short_help = true, value_name = "N", default_value_t = NEWEST_API_VERSION, value_parser = clap::value_parser!(i32).range(i64::from(OLDEST_API_VERSION)..=i64::from(NEWEST_API_VERSION)), env = "CODITECT_FDB_API_VERSION")]
    fdb_api_version: i32,

    /// Where the client writes its trace files, if it shall.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "DIR",
        env = "CODITECT_FDB_TRACE_DIRECTORY"
    )]
    fdb_trace_directory: Option<PathBuf>,
}

impl StoreOptions {
    /// True if the registry lives in a cluster, which no process has to itself.
    pub(crate) fn is_cluster(&self) -> bool {
        self.kind == StoreKind::Fdb
    }

    /// Connects to the cluster. It may not answer yet.
    ///
    /// # Errors
    /// `Invalid` if the options make no sense or this program was built without FoundationDB; `Unavailable` if there is
    /// nothing to connect to.
    pub(crate) async fn connect(&self) -> Result<Arc<dyn Store>> {
        connect(&self.fdb.options()).await
    }

    /// For `coditect config`.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let kind = match self.kind {
            StoreKind::Embedded => "embedded",
            StoreKind::Fdb => "fdb",
        };
        let mut settings = vec![("registry-store", kind.to_owned())];
        if self.is_cluster() {
            settings.extend(self.fdb.settings());
        }
        settings
    }
}

impl Fdb {
    fn options(&self) -> Options {
        let place = match &self.fdb_directory {
            Some(path) => Place::Directory(path.split('/').map(str::to_owned).collect()),
            None => Place::Prefix(self.fdb_prefix.clone()),
        };
        Options {
            cluster_file: self.fdb_cluster_file.clone(),
            timeout: (self.fdb_timeout_seconds > 0)
                .then(|| Duration::from_secs(self.fdb_timeout_seconds)),
            retry_limit: Some(self.fdb_retry_limit),
            network: NetworkOptions {
                api_version: Some(self.fdb_api_version),
                client_libraries: self.fdb_client_library.clone(),
                client_directory: self.fdb_client_directory.clone(),
                disable_local_client: self.fdb_disable_local_client,
                trace_directory: self.fdb_trace_directory.clone(),
                tls: Tls {
                    certificate_file: self.fdb_tls_certificate_file.clone(),
                    key_file: self.fdb_tls_key_file.clone(),
                    authorities_file: self.fdb_tls_ca_file.clone(),
                    verify_peers: self.fdb_tls_verify_peers.clone(),
                    password_file: self.fdb_tls_password_file.clone(),
                },
            },
            ..Options::at(place)
        }
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let options = self.options();
        let or = |file: &Option<PathBuf>, none: &str| {
            let file = file.as_ref().map(|file| file.display().to_string());
            file.unwrap_or_else(|| none.to_owned())
        };
        let libraries = options.network.client_libraries.iter();
        let libraries: Vec<String> = libraries.map(|file| file.display().to_string()).collect();
        let tls = &options.network.tls;
        vec![
            (
                "fdb-cluster-file",
                or(&options.cluster_file, "where the client looks by itself"),
            ),
            ("fdb-place", options.place.to_string()),
            ("fdb-timeout-seconds", self.fdb_timeout_seconds.to_string()),
            ("fdb-retry-limit", self.fdb_retry_limit.to_string()),
            (
                "fdb-tls-certificate-file",
                or(&tls.certificate_file, "none"),
            ),
            ("fdb-tls-key-file", or(&tls.key_file, "none")),
            ("fdb-tls-password-file", or(&tls.password_file, "none")),
            ("fdb-tls-ca-file", or(&tls.authorities_file, "none")),
            (
                "fdb-tls-verify-peers",
                tls.verify_peers.clone().unwrap_or_else(|| "none".into()),
            ),
            ("fdb-client-library", libraries.join(", ")),
            (
                "fdb-client-directory",
                or(&options.network.client_directory, "none"),
            ),
            (
                "fdb-disable-local-client",
                self.fdb_disable_local_client.to_string(),
            ),
            ("fdb-api-version", self.fdb_api_version.to_string()),
            (
                "fdb-trace-directory",
                or(&options.network.trace_directory, "none"),
            ),
        ]
    }
}

#[cfg(feature = "fdb")]
async fn connect(options: &Options) -> Result<Arc<dyn Store>> {
    use coditect_registry::store::{StoreError, fdb::FdbStore};

    match FdbStore::open(options).await {
        Ok(store) => Ok(store),
        // No cluster will mend it.
        Err(StoreError::NotOpened(why)) => Err(Error::invalid("registry", why)),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(feature = "fdb"))]
async fn connect(options: &Options) -> Result<Arc<dyn Store>> {
    options.check()?;
    Err(Error::invalid(
        "registry",
        "this program was built without FoundationDB; build it with `cargo build --release --features fdb`, where libclang and FoundationDB's client library are installed (docs/operations.md)",
    ))
}

/// At the end of the process, when nothing uses a store any more.
pub(crate) fn close() {
    #[cfg(feature = "fdb")]
    coditect_registry::store::fdb::stop();
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        store: StoreOptions,
    }

    fn parsed(line: &[&str]) -> StoreOptions {
        let line = [&["coditect"], line].concat();
        Line::try_parse_from(line).unwrap().store
    }

    #[test]
    fn nothing_said_is_the_embedded_store() {
        let options = parsed(&[]);
        assert!(!options.is_cluster());
        assert_eq!(
            options.settings(),
            [("registry-store", "embedded".to_owned())]
        );
    }

    #[test]
    fn what_is_said_reaches_the_client() {
        let options = parsed(&[
            "--registry=fdb",
            "--fdb-cluster-file=c",
            "--fdb-directory=a/b",
            "--fdb-timeout-seconds=0",
            "--fdb-retry-limit=7",
            "--fdb-tls-certificate-file=t",
            "--fdb-tls-key-file=k",
            "--fdb-tls-password-file=w",
            "--fdb-tls-ca-file=a",
            "--fdb-tls-verify-peers=Check.Valid=1",
            "--fdb-client-library=one,two",
            "--fdb-client-directory=d",
            "--fdb-disable-local-client",
            "--fdb-api-version=630",
            "--fdb-trace-directory=traces",
        ]);
        assert!(options.is_cluster());
        let expected = Options {
            cluster_file: Some("c".into()),
            place: Place::Directory(vec!["a".into(), "b".into()]),
            timeout: None,
            retry_limit: Some(7),
            network: NetworkOptions {
                api_version: Some(630),
                client_libraries: vec!["one".into(), "two".into()],
                client_directory: Some("d".into()),
                disable_local_client: true,
                trace_directory: Some("traces".into()),
                tls: Tls {
                    certificate_file: Some("t".into()),
                    key_file: Some("k".into()),
                    authorities_file: Some("a".into()),
                    verify_peers: Some("Check.Valid=1".into()),
                    password_file: Some("w".into()),
                },
            },
        };
        assert_eq!(options.fdb.options(), expected);
        let shown = options.settings();
        for (setting, value) in [
            ("fdb-place", "directory a/b"),
            ("fdb-client-library", "one, two"),
        ] {
            assert!(shown.contains(&(setting, value.to_owned())), "{shown:?}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_store() {
        let said = parsed(&["--registry=fdb"]).fdb.options();
        let mut expected = Options::at(Place::Prefix("coditect".into()));
        expected.network.api_version = Some(NEWEST_API_VERSION);
        // An environment that names a cluster is as good as a flag.
        expected.cluster_file.clone_from(&said.cluster_file);
        expected.network.tls = said.network.tls.clone();
        assert_eq!(said, expected);
    }

    #[test]
    fn a_place_is_named_once() {
        let both = ["coditect", "--fdb-prefix=p", "--fdb-directory=d"];
        assert!(Line::try_parse_from(both).is_err());
    }

    #[cfg(not(feature = "fdb"))]
    #[tokio::test]
    async fn a_program_without_the_client_says_how_to_get_one_with_it() {
        let refused = parsed(&["--registry=fdb"]).connect().await.err().unwrap();
        assert!(refused.to_string().contains("--features fdb"), "{refused}");
    }
}
