//! GitHub: pages are pull requests, by its REST API.
//! <https://docs.github.com/en/rest/pulls/pulls>, <https://docs.github.com/en/rest/issues/comments>
//!
//! While nothing changes a look is one conditional request, whose answer 304 does not count against the hourly limit.
//! Pull requests that are no longer open are asked for once each: none becomes anything else without being open again.

mod api;
mod limits;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use coditect_core::{Error, Kind, Result};
use hyper::{Method, StatusCode};
use serde_json::json;

use self::{
    api::{Answer, Api, Bearer},
    wire::{Comment, Pull, Writer},
};
use super::host::{HostFate, HostPage, NewPage, PolicyHost};
use crate::git::BRANCHES;

/// Items of one answer; GitHub gives no more.
const PAGE: usize = 100;
/// More answers of one list are not read.
const PAGES: usize = 50;

/// Which repository on which GitHub, and as whom.
#[derive(Clone, Debug)]
pub struct GithubConfig {
    /// The policy repository, `OWNER/NAME`.
    pub repository: String,
    /// The API's address: `https://api.github.com`, or `https://HOST/api/v3` of a GitHub Enterprise Server.
    pub api: String,
    /// The file with the token, read again for every request.
    pub token_file: PathBuf,
    /// Who vouches for the server's certificate (PEM), in place of the system's authorities.
    pub ca_file: Option<PathBuf>,
    /// How long one request may take.
    pub limit: Duration,
}

/// The API of github.com itself.
pub const GITHUB: &str = "https://api.github.com";

impl GithubConfig {
    /// On github.com, with the system's authorities and ten seconds a request.
    #[must_use]
    pub fn new(repository: impl Into<String>, token_file: impl Into<PathBuf>) -> Self {
        Self {
            repository: repository.into(),
            api: GITHUB.to_owned(),
            token_file: token_file.into(),
            ca_file: None,
            limit: Duration::from_secs(10),
        }
    }
}

/// A repository on GitHub.
pub struct Github {
    api: Api,
    owner: String,
    /// `/repos/OWNER/NAME`.
    path: String,
    memory: Mutex<Memory>,
}

/// What need not be asked again. Lost, it costs requests and nothing else.
#[derive(Default)]
struct Memory {
    /// The list of open pull requests, answer by answer.
    open: Vec<Listed>,
    /// Newest pull requests that are not open, by branch.
    ended: BTreeMap<String, Pull>,
    /// Whose token it is.
    writer: Option<(Bearer, Option<u64>)>,
}

/// One answer of a list.
#[derive(Clone)]
struct Listed {
    etag: Option<String>,
    ours: Vec<Pull>,
    more: bool,
}

impl Github {
    /// # Errors
    /// `Invalid` if the repository, the address or the certificate file is not usable. The token may still be missing:
    /// every call says so.
    pub fn new(config: &GithubConfig) -> Result<Self> {
        let wrong = || Error::invalid("policy-host-repository", "must be of the form OWNER/NAME");
        let (owner, name) = config.repository.split_once('/').ok_or_else(wrong)?;
        let word = |part: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !part.is_empty() && !part.starts_with('.') && part.chars().all(fits)
        };
        if !word(owner) || !word(name) {
            return Err(wrong());
        }
        Ok(Self {
            api: Api::new(config)?,
            owner: owner.to_owned(),
            path: format!("/repos/{owner}/{name}"),
            memory: Mutex::default(),
        })
    }

    /// The open pull requests of our branches.
    async fn open_pulls(&self) -> Result<Vec<Pull>> {
        let known = self.memory(|memory| memory.open.clone());
        let mut read = Vec::new();
        for page in 1..=PAGES {
            let known = known.get(page - 1);
            let path = format!("{}/pulls?state=open&per_page={PAGE}&page={page}", self.path);
            let etag = known.and_then(|known| known.etag.as_deref());
            let answer = self.api.get(&path, etag).await?;
            let listed = match (answer.status, known) {
                (StatusCode::NOT_MODIFIED, Some(known)) => known.clone(),
                _ => Listed {
                    etag: answer.etag.clone(),
                    ours: ours(self.all(&answer)?),
                    more: answer.more,
                },
            };
            let more = listed.more;
            read.push(listed);
            if !more {
                self.memory(|memory| memory.open.clone_from(&read));
                return Ok(read.into_iter().flat_map(|listed| listed.ours).collect());
            }
        }
        Err(Error::unavailable(format!(
            "{} has more than {} open pull requests, which are not read",
            self.path,
            PAGE * PAGES
        )))
    }

    /// The pull request of a branch: the open one, or else the newest.
    async fn find(&self, branch: &str) -> Result<Option<Pull>> {
        let path = format!(
            "{}/pulls?state=all&head={}:{branch}&per_page={PAGE}",
            self.path, self.owner
        );
        let pulls = ours(self.all(&self.api.get(&path, None).await?)?);
        let mut of_branch = pulls.into_iter().filter(|pull| pull.head.name == branch);
        Ok(of_branch
            .by_ref()
            .max_by_key(|pull| (pull.is_open(), pull.number)))
    }

    fn all(&self, answer: &Answer) -> Result<Vec<Pull>> {
        match answer.status {
            StatusCode::OK => answer.read(),
            _ => Err(self.api.refused(answer)),
        }
    }

    /// Our comments on a page that begin with `mark`, the oldest first.
    async fn comments(&self, number: u64, mark: &str, writer: Option<u64>) -> Result<Vec<Comment>> {
        let mut found = Vec::new();
        for page in 1..=PAGES {
            let path = format!(
                "{}/issues/{number}/comments?per_page={PAGE}&page={page}",
                self.path
            );
            let answer = self.api.get(&path, None).await?;
            if answer.status != StatusCode::OK {
                return Err(self.api.refused(&answer));
            }
            let all: Vec<Comment> = answer.read()?;
            found.extend(
                all.into_iter()
                    .filter(|it| it.is_by(writer) && it.begins(mark)),
            );
            if !answer.more {
                break;
            }
        }
        found.sort_by_key(|comment| comment.id);
        Ok(found)
    }

    /// Who writes with this token. None: an app's installation, which GitHub does not tell; it writes as a bot.
    async fn writer(&self) -> Result<Option<u64>> {
        let bearer = self.api.bearer().await?;
        let known = self.memory(|memory| memory.writer);
        if let Some((_, writer)) = known.filter(|(of, _)| *of == bearer) {
            return Ok(writer);
        }
        let writer = match self.api.get("/user", None).await {
            Ok(answer) if answer.status == StatusCode::OK => Some(answer.read::<Writer>()?.id),
            Ok(answer) if answer.status == StatusCode::NOT_FOUND => None,
            Ok(answer) => return Err(self.api.refused(&answer)),
            Err(error) if *error.kind() == Kind::Forbidden => None,
            Err(error) => return Err(error),
        };
        self.memory(|memory| memory.writer = Some((bearer, writer)));
        Ok(writer)
    }

    fn memory<T>(&self, look: impl FnOnce(&mut Memory) -> T) -> T {
        look(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Those of branches of this repository that Coditect made: a copy of the repository may have branches of the same name.
fn ours(pulls: Vec<Pull>) -> Vec<Pull> {
    let mut pulls = pulls;
    pulls.retain(|pull| pull.is_of_its_own_repository() && pull.head.name.starts_with(BRANCHES));
    pulls
}

#[async_trait]
impl PolicyHost for Github {
    async fn look(
        &self,
        into: &str,
        undecided: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, HostPage>> {
        let mut pages = BTreeMap::new();
        let mut open = self.open_pulls().await?;
        // Of two that are open for one branch the newest is the last.
        open.sort_by_key(|pull| pull.number);
        for pull in open {
            let page = pull.page(into)?;
            pages.insert(pull.head.name, page);
        }
        self.memory(|memory| {
            let keep = |branch: &String| undecided.contains(branch) && !pages.contains_key(branch);
            memory.ended.retain(|branch, _| keep(branch));
        });
        for branch in undecided {
            if pages.contains_key(branch) {
                continue;
            }
            let known = self.memory(|memory| memory.ended.get(branch).cloned());
            let found = match known {
                Some(pull) => Some(pull),
                None => self.find(branch).await?,
            };
            let Some(pull) = found else {
                continue;
            };
            pages.insert(branch.clone(), pull.page(into)?);
            if !pull.is_open() {
                self.memory(|memory| memory.ended.insert(branch.clone(), pull));
            }
        }
        Ok(pages)
    }

    async fn open(&self, page: &NewPage<'_>) -> Result<HostPage> {
        let NewPage {
            branch,
            into,
            title,
            text,
        } = page;
        let body = json!({
            "title": title,
            "head": branch,
            "base": into,
            "body": text,
            "maintainer_can_modify": false,
        });
        let path = format!("{}/pulls", self.path);
        let answer = self.api.send(Method::POST, &path, Some(body)).await?;
        match answer.status {
            StatusCode::CREATED => answer.read::<Pull>()?.page(into),
            // It is there already, or the branch is not, or it holds nothing new.
            StatusCode::UNPROCESSABLE_ENTITY => match self.find(branch).await? {
                Some(pull) if pull.is_open() => pull.page(into),
                _ => Err(self.api.refused(&answer)),
            },
            _ => Err(self.api.refused(&answer)),
        }
    }

    async fn close(&self, number: u64) -> Result<()> {
        let path = format!("{}/pulls/{number}", self.path);
        let body = json!({ "state": "closed" });
        let answer = self.api.send(Method::PATCH, &path, Some(body)).await?;
        match answer.status {
            StatusCode::OK => Ok(()),
            _ => Err(self.api.refused(&answer)),
        }
    }

    async fn comment(&self, number: u64, mark: &str, text: &str) -> Result<()> {
        let writer = self.writer().await?;
        let body = json!({ "body": text });
        let mut found = self.comments(number, mark, writer).await?;
        if found.is_empty() {
            let path = format!("{}/issues/{number}/comments", self.path);
            let answer = self
                .api
                .send(Method::POST, &path, Some(body.clone()))
                .await?;
            if answer.status != StatusCode::CREATED {
                return Err(self.api.refused(&answer));
            }
            // Another process may have been as fast: the oldest stays.
            found = self.comments(number, mark, writer).await?;
        }
        for doubled in found.iter().skip(1) {
            let path = format!("{}/issues/comments/{}", self.path, doubled.id);
            let answer = self.api.send(Method::DELETE, &path, None).await?;
            let gone = [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND];
            if !gone.contains(&answer.status) {
                return Err(self.api.refused(&answer));
            }
        }
        let Some(first) = found.first().filter(|comment| !comment.says(text)) else {
            return Ok(());
        };
        let path = format!("{}/issues/comments/{}", self.path, first.id);
        let answer = self.api.send(Method::PATCH, &path, Some(body)).await?;
        match answer.status {
            StatusCode::OK => Ok(()),
            _ => Err(self.api.refused(&answer)),
        }
    }
}

impl Pull {
    fn is_open(&self) -> bool {
        self.state == "open"
    }

    fn is_of_its_own_repository(&self) -> bool {
        let base = self
            .base
            .repository
            .as_ref()
            .map(|repository| repository.id);
        let head = self
            .head
            .repository
            .as_ref()
            .map(|repository| repository.id);
        head.is_some() && head == base
    }

    /// What there is to know of it. One that was merged elsewhere is as one that was closed.
    ///
    /// # Errors
    /// `Unavailable` if its address is none of the web.
    fn page(&self, into: &str) -> Result<HostPage> {
        let url = self.html_url.as_str();
        if !(url.starts_with("https://") || url.starts_with("http://")) {
            let message = format!("GitHub names no address of pull request {}", self.number);
            return Err(Error::unavailable(message));
        }
        let fate = match (&self.merged_at, self.is_open()) {
            (_, true) => HostFate::Open,
            (Some(_), false) if self.base.name == into => HostFate::Merged {
                commit: self.merge_commit_sha.clone(),
            },
            (_, false) => HostFate::Closed,
        };
        Ok(HostPage {
            number: self.number,
            url: url.to_owned(),
            fate,
        })
    }
}
