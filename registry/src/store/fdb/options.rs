//! How to reach a cluster, as a person configures it; checked before anything is started.

use std::{fmt, path::PathBuf, time::Duration};

use super::super::{StoreError, limits};

/// The oldest interface that may be asked of the client library.
pub const OLDEST_API_VERSION: i32 = 630;
/// The newest, which is that of the headers this program was built with.
pub const NEWEST_API_VERSION: i32 = 710;

/// Longest name of a prefix, so that its tuple encoding (a type code before, a zero behind) is no longer than
/// [`limits::PREFIX_BYTES`].
const PREFIX_NAME_BYTES: usize = limits::PREFIX_BYTES - 2;

/// How to reach a cluster and where in it the registry lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The cluster file. `None`: where the client library looks by itself (`FDB_CLUSTER_FILE`, then `fdb.cluster` in
    /// the working directory, then `/etc/foundationdb/fdb.cluster`).
    pub cluster_file: Option<PathBuf>,
    /// Where in the cluster.
    pub place: Place,
    /// How long one transaction may take with all its attempts. `None`: as long as it takes.
    pub timeout: Option<Duration>,
    /// How often one transaction is tried again. `None`: as often as it takes.
    pub retry_limit: Option<u32>,
    /// What holds for the whole process.
    pub network: NetworkOptions,
}

/// Where in a cluster the registry lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Below the tuple encoding of a name: what other layers call the subspace `(name,)`.
    Prefix(String),
    /// In a directory of the cluster's default directory layer, made if it is not there.
    Directory(Vec<String>),
}

/// What is said to the client library once in a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkOptions {
    /// Behaviour of the library, as an API version ([`OLDEST_API_VERSION`] to [`NEWEST_API_VERSION`]). Lower it where an
    /// older client library must take part.
    pub api_version: Option<i32>,
    /// Further client libraries, one of which speaks the cluster's protocol: for clusters that are being upgraded.
    pub client_libraries: Vec<PathBuf>,
    /// A folder of such libraries.
    pub client_directory: Option<PathBuf>,
    /// Whether to connect through those alone and never through the library this program is linked with.
    pub disable_local_client: bool,
    /// Where the client library writes its trace files, if it shall.
    pub trace_directory: Option<PathBuf>,
    /// How connections are encrypted.
    pub tls: Tls,
}

/// Encryption of connections. Whether it is used says the cluster file, by `:tls` behind each address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// This process's certificate chain (PEM).
    pub certificate_file: Option<PathBuf>,
    /// Its private key (PEM).
    pub key_file: Option<PathBuf>,
    /// Who vouches for the cluster's certificates (PEM).
    pub authorities_file: Option<PathBuf>,
    /// What a certificate of the cluster must say, as FoundationDB's `tls_verify_peers`.
    pub verify_peers: Option<String>,
    /// A file with the password of the private key.
    pub password_file: Option<PathBuf>,
}

impl Options {
    /// For the registry at `place`, of the cluster that the client library finds by itself, with the times and attempts
    /// that suit people who wait.
    #[must_use]
    pub fn at(place: Place) -> Self {
        Self {
            cluster_file: None,
            place,
            timeout: Some(Duration::from_secs(10)),
            retry_limit: Some(64),
            network: NetworkOptions::default(),
        }
    }

    /// Finds what could not work.
    ///
    /// # Errors
    /// `NotOpened` with a sentence that names it.
    pub fn check(&self) -> Result<(), StoreError> {
        self.place.check()?;
        if self
            .timeout
            .is_some_and(|timeout| milliseconds(timeout).is_none())
        {
            return refused("a transaction's time-out is between 1 ms and 24 days");
        }
        if self
            .retry_limit
            .is_some_and(|limit| i32::try_from(limit).is_err())
        {
            return refused("a transaction's retry limit is at most 2,147,483,647");
        }
        if let Some(file) = &self.cluster_file {
            text(file)?;
        }
        self.network.check()
    }
}

/// A time as the client takes it: whole milliseconds, at least one.
pub(super) fn milliseconds(time: Duration) -> Option<i32> {
    i32::try_from(time.as_millis())
        .ok()
        .filter(|millis| *millis > 0)
}

/// A path as the client takes it.
pub(super) fn text(path: &std::path::Path) -> Result<&str, StoreError> {
    path.to_str()
        .filter(|text| !text.is_empty() && !text.contains('\0'))
        .ok_or_else(|| {
            StoreError::NotOpened(format!(
                "FoundationDB's client takes no path like {}: it must be UTF-8",
                path.display()
            ))
        })
}

fn refused<T>(why: &str) -> Result<T, StoreError> {
    Err(StoreError::NotOpened(why.to_owned()))
}

impl Place {
    fn check(&self) -> Result<(), StoreError> {
        let visible = |name: &str| name.bytes().all(|byte| byte.is_ascii_graphic());
        match self {
            Self::Prefix(name)
                if name.is_empty() || name.len() > PREFIX_NAME_BYTES || !visible(name) =>
            {
                Err(StoreError::NotOpened(format!(
                    "the prefix {name:?} is not 1 to {PREFIX_NAME_BYTES} visible ASCII characters"
                )))
            }
            Self::Directory(path) if path.is_empty() || path.iter().any(String::is_empty) => {
                refused("a directory's path is one or more names, none of them empty")
            }
            Self::Prefix(_) | Self::Directory(_) => Ok(()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(name) => write!(f, "prefix {name}"),
            Self::Directory(path) => write!(f, "directory {}", path.join("/")),
        }
    }
}

impl NetworkOptions {
    fn check(&self) -> Result<(), StoreError> {
        if let Some(version) = self.api_version
            && !(OLDEST_API_VERSION..=NEWEST_API_VERSION).contains(&version)
        {
            return Err(StoreError::NotOpened(format!(
                "the API version {version} is not between {OLDEST_API_VERSION} and {NEWEST_API_VERSION}"
            )));
        }
        if self.disable_local_client
            && self.client_libraries.is_empty()
            && self.client_directory.is_none()
        {
            return refused(
                "without the local client there must be another: name a client library or a folder of them",
            );
        }
        let Tls {
            certificate_file,
            key_file,
            authorities_file,
            verify_peers: _,
            password_file,
        } = &self.tls;
        if certificate_file.is_some() != key_file.is_some() {
            return refused(
                "a certificate and its private key come together; both may name the same file",
            );
        }
        if password_file.is_some() && key_file.is_none() {
            return refused("a password without a private key has no use");
        }
        let files = [
            certificate_file,
            key_file,
            authorities_file,
            password_file,
            &self.client_directory,
            &self.trace_directory,
        ];
        let files = files.into_iter().flatten();
        files
            .chain(&self.client_libraries)
            .try_for_each(|file| text(file).map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut Options)) -> String {
        let mut options = Options::at(Place::Prefix("coditect".into()));
        options.check().unwrap();
        change(&mut options);
        match options.check() {
            Err(StoreError::NotOpened(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_could_not_work_is_named() {
        let long = "x".repeat(PREFIX_NAME_BYTES + 1);
        for name in ["", "two words", "é", "\u{7f}", long.as_str()] {
            assert!(
                refusal(|options| options.place = Place::Prefix(name.into())).contains("prefix")
            );
        }
        for path in [vec![], vec!["a".to_owned(), String::new()]] {
            assert!(
                refusal(|options| options.place = Place::Directory(path)).contains("directory")
            );
        }
        for timeout in [Duration::ZERO, Duration::from_secs(3_000_000)] {
            assert!(refusal(|options| options.timeout = Some(timeout)).contains("time-out"));
        }
        assert!(refusal(|options| options.retry_limit = Some(u32::MAX)).contains("retry"));
        for version in [OLDEST_API_VERSION - 1, NEWEST_API_VERSION + 1] {
            assert!(
                refusal(|options| options.network.api_version = Some(version))
                    .contains(&version.to_string())
            );
        }
        assert!(refusal(|options| options.network.disable_local_client = true).contains("library"));
        assert!(
            refusal(|options| options.network.tls.key_file = Some("key.pem".into()))
                .contains("certificate")
        );
        assert!(
            refusal(|options| options.network.tls.password_file = Some("password".into()))
                .contains("password")
        );
        assert!(refusal(|options| options.cluster_file = Some("a\0b".into())).contains("UTF-8"));
    }

    #[test]
    fn everything_at_once_is_taken() {
        let options = Options {
            cluster_file: Some("fdb.cluster".into()),
            place: Place::Directory(vec!["coditect".into(), "registry".into()]),
            timeout: None,
            retry_limit: None,
            network: NetworkOptions {
                api_version: Some(OLDEST_API_VERSION),
                client_libraries: vec!["libfdb_c_old.so".into()],
                client_directory: Some("clients".into()),
                disable_local_client: true,
                trace_directory: Some("traces".into()),
                tls: Tls {
                    certificate_file: Some("both.pem".into()),
                    key_file: Some("both.pem".into()),
                    authorities_file: Some("ca.pem".into()),
                    verify_peers: Some("Check.Valid=1".into()),
                    password_file: Some("password".into()),
                },
            },
        };
        options.check().unwrap();
        assert_eq!(options.place.to_string(), "directory coditect/registry");
    }
}
