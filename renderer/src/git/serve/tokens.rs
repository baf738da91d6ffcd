//! Who may read: whoever shows a token of the token file.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use coditect_core::{Error, Result, health::Health};
use hyper::{HeaderMap, header};
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

/// How many tokens may be valid at once: the old one and the new one.
pub const TOKENS: usize = 2;
/// The shortest token, in bytes: nobody guesses 16 random characters.
pub const SHORTEST_TOKEN: usize = 16;
/// Longer ones are not tokens; what is hashed is bounded.
const LONGEST_TOKEN: usize = 1024;
/// The name under which the file's state is posted.
const PART: &str = "git-token";

/// A token's hash. Comparing hashes says nothing about how much of a guess was right.
type Hash = [u8; 32];

/// The tokens of a file, one a line, read again whenever somebody shows one: a file of a few bytes, and a token
/// that was taken out of it is refused from then on. Cheap to clone; clones share what was last read.
#[derive(Clone)]
pub struct Tokens {
    file: PathBuf,
    valid: Arc<RwLock<Vec<Hash>>>,
    health: Health,
}

impl Tokens {
    /// Reads the file.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be read, `Invalid` if it does not hold one or two tokens.
    pub fn open(file: PathBuf, health: Health) -> Result<Self> {
        let valid = read(&file)?;
        health.ok(PART, said(valid.len()));
        Ok(Self {
            file,
            valid: Arc::new(RwLock::new(valid)),
            health,
        })
    }

    /// True if the headers carry a valid token: as the password of HTTP Basic, with any user name, or as a
    /// bearer token.
    pub(super) async fn admit(&self, headers: &HeaderMap) -> bool {
        let Some(shown) = shown(headers) else {
            return false;
        };
        let tokens = self.clone();
        // A file that cannot be read leaves what was valid valid: a volume in trouble stops no deployment.
        if let Err(error) = spawn_blocking(move || tokens.reload()).await {
            tracing::error!(%error, "reading the token file panicked");
        }
        let shown = hash(&shown);
        let valid = self.valid.read().unwrap_or_else(PoisonError::into_inner);
        // All of them, whichever fits.
        valid
            .iter()
            .fold(false, |found, valid| found | same(valid, &shown))
    }

    fn reload(&self) {
        let read = read(&self.file);
        let known = self
            .valid
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match read {
            Ok(read) if read == known => {
                self.health.ok(PART, said(read.len()));
            }
            Ok(read) => {
                tracing::info!(tokens = read.len(), "the token file was read again");
                self.health.ok(PART, said(read.len()));
                *self.valid.write().unwrap_or_else(PoisonError::into_inner) = read;
            }
            Err(error) => {
                tracing::warn!(error = %error.chain(), "the token file is not usable; the last good one holds");
                let error = error.chain();
                self.health
                    .degraded(PART, format!("{error}; the last good one holds"));
            }
        }
    }
}

fn said(count: usize) -> String {
    format!("{count} token(s) valid")
}

fn read(file: &Path) -> Result<Vec<Hash>> {
    let text = fs::read_to_string(file).map_err(|error| {
        let remedy = if error.kind() == io::ErrorKind::NotFound {
            "; make one with `openssl rand -hex 32`"
        } else {
            ""
        };
        let file = file.display();
        Error::unavailable(format!("the token file {file} cannot be read{remedy}")).because(error)
    })?;
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let fits = |line: &&str| (SHORTEST_TOKEN..=LONGEST_TOKEN).contains(&line.len());
    if lines.is_empty() || lines.len() > TOKENS || !lines.iter().all(fits) {
        return Err(Error::invalid(
            "git-token-file",
            format!(
                "{} must hold one token a line, at most {TOKENS}, each of at least {SHORTEST_TOKEN} characters",
                file.display()
            ),
        ));
    }
    Ok(lines.into_iter().map(hash).collect())
}

/// The token that the headers carry.
fn shown(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    let token = if scheme.eq_ignore_ascii_case("basic") {
        let decoded = BASE64_STANDARD.decode(rest.trim()).ok()?;
        let pair = String::from_utf8(decoded).ok()?;
        pair.split_once(':')?.1.to_owned()
    } else if scheme.eq_ignore_ascii_case("bearer") {
        rest.trim().to_owned()
    } else {
        return None;
    };
    (token.len() <= LONGEST_TOKEN).then_some(token)
}

fn hash(token: impl AsRef<[u8]>) -> Hash {
    Sha256::digest(token).into()
}

/// Compares without ending early.
fn same(a: &Hash, b: &Hash) -> bool {
    a.iter()
        .zip(b)
        .fold(0, |difference, (a, b)| difference | (a ^ b))
        == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "an old token of enough length";
    const NEW: &str = "a new token of enough length";

    fn basic(user: &str, password: &str) -> HeaderMap {
        let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
        with(&format!("Basic {pair}"))
    }

    fn with(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[tokio::test]
    async fn two_tokens_are_valid_while_one_replaces_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, format!("{OLD}\n")).unwrap();
        let tokens = Tokens::open(file.clone(), Health::default()).unwrap();
        let admits = async |token: &str| tokens.admit(&basic("anybody", token)).await;
        assert!(admits(OLD).await && !admits(NEW).await);
        fs::write(&file, format!("{OLD}\n{NEW}\n")).unwrap();
        assert!(admits(OLD).await && admits(NEW).await);
        fs::write(&file, format!("\n  {NEW}  \n")).unwrap();
        assert!(!admits(OLD).await && admits(NEW).await);
        assert!(tokens.admit(&with(&format!("Bearer {NEW}"))).await);
    }

    #[tokio::test]
    async fn nothing_else_is_let_in() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, OLD).unwrap();
        let tokens = Tokens::open(file, Health::default()).unwrap();
        for headers in [
            HeaderMap::new(),
            with("Basic"),
            with("Basic !!!"),
            with(&format!("Digest {OLD}")),
            with("Bearer "),
            with(&format!("Bearer {OLD}x")),
            with(&format!("Bearer {}", &OLD[1..])),
            basic(OLD, ""),
            basic("", &"x".repeat(4_000)),
        ] {
            assert!(!tokens.admit(&headers).await, "{headers:?}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_not_usable_leaves_the_last_good_tokens_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let missing = Tokens::open(file.clone(), Health::default());
        assert!(missing.is_err_and(|error| error.to_string().contains("openssl rand")));
        for text in [
            "",
            "short",
            "one of enough length\ntwo of enough length\nthree of enough length",
        ] {
            fs::write(&file, text).unwrap();
            assert!(
                Tokens::open(file.clone(), Health::default()).is_err(),
                "{text}"
            );
        }
        fs::write(&file, OLD).unwrap();
        let health = Health::default();
        let tokens = Tokens::open(file.clone(), health.clone()).unwrap();
        fs::remove_file(&file).unwrap();
        assert!(tokens.admit(&basic("argocd", OLD)).await);
        let said = format!("{:?}", health.snapshot()[PART]);
        assert!(said.contains("Degraded") && !said.contains(OLD), "{said}");
    }
}
