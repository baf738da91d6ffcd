//! What of GitHub's answers is read.

use serde::Deserialize;

/// A pull request.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pull {
    pub(super) number: u64,
    pub(super) html_url: String,
    /// `open` or `closed`; a merged one is closed.
    pub(super) state: String,
    pub(super) merged_at: Option<String>,
    /// Of a merged one what the merge made: the merge's commit, the one squashed, or the last one rebased. Of an open one
    /// something else.
    pub(super) merge_commit_sha: Option<String>,
    pub(super) head: End,
    pub(super) base: End,
}

/// One end of a pull request.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct End {
    #[serde(rename = "ref")]
    pub(super) name: String,
    /// None if it was deleted since.
    #[serde(rename = "repo")]
    pub(super) repository: Option<Repository>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Repository {
    pub(super) id: u64,
}

/// A comment on a pull request.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Comment {
    pub(super) id: u64,
    body: Option<String>,
    /// None if the account was deleted since.
    user: Option<Writer>,
}

/// Who wrote something.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Writer {
    pub(super) id: u64,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Comment {
    /// Whether it is by the account with this id, or if that is not known, by a bot.
    pub(super) fn is_by(&self, writer: Option<u64>) -> bool {
        self.user.as_ref().is_some_and(|user| match writer {
            Some(id) => user.id == id,
            None => user.kind.as_deref() == Some("Bot"),
        })
    }

    pub(super) fn begins(&self, mark: &str) -> bool {
        let body = self.body.as_deref().unwrap_or_default();
        body.lines().next() == Some(mark)
    }

    /// Whether that is its text; GitHub may end lines in its own way.
    pub(super) fn says(&self, text: &str) -> bool {
        let body = self.body.as_deref().unwrap_or_default();
        body.trim_end().lines().eq(text.trim_end().lines())
    }
}
