//! Commit messages: what changed and why, by id, and the figures a machine reads back.

use std::{collections::BTreeSet, fmt::Write};

use coditect_core::{Epoch, Fence, UserId, Version};
use git2::Oid;

use super::state::Checkpoint;

/// How many users a message names; the rest are counted.
const NAMED: usize = 20;
/// Longest reason, in characters.
const REASON: usize = 120;

/// The trailer that names a user whose refused file another one replaces.
const QUARANTINED: &str = "Coditect-Quarantined";

/// Why a commit is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Changes that came through the feed.
    Changes,
    /// A new holder of the lease sets its mark; committed even if no file changes.
    TakeOver,
    /// Every user was rendered: at start, or after a change of policy or templates.
    FullReconcile,
    /// What someone else changed in the repository is put right.
    Repair,
}

/// What happened to one user's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The file is new.
    Created,
    /// The file has other content.
    Changed,
    /// The file is gone, for a tombstone that nobody's own request backs.
    Deleted,
    /// The file is gone, by the person's own, freshly authenticated request.
    DeletedOnRequest,
}

/// The message of a commit in the making.
#[derive(Clone, Debug)]
pub struct Message {
    occasion: Occasion,
    lines: Vec<String>,
    created: u64,
    changed: u64,
    deleted: u64,
    deleted_requested: u64,
    workspaces_deleted: u64,
    workspaces_deleted_requested: u64,
    quarantined: BTreeSet<UserId>,
}

impl Message {
    /// An empty message.
    #[must_use]
    pub fn new(occasion: Occasion) -> Self {
        Self {
            occasion,
            lines: Vec::new(),
            created: 0,
            changed: 0,
            deleted: 0,
            deleted_requested: 0,
            workspaces_deleted: 0,
            workspaces_deleted_requested: 0,
            quarantined: BTreeSet::new(),
        }
    }

    /// Counts one workspace that leaves a file which stays; whether the person's own request backs it. The
    /// user's line tells which.
    pub const fn record_workspace_deletion(&mut self, requested: bool) {
        if requested {
            self.workspaces_deleted_requested += 1;
        } else {
            self.workspaces_deleted += 1;
        }
    }

    /// Says that what the commit holds of this user stands in the place of a file that the cluster refused. Every
    /// one is named: what such a file lacks was not deleted.
    pub fn record_quarantine(&mut self, user: UserId) {
        self.quarantined.insert(user);
    }

    /// Counts one user, and names them with the reason if there is room. The reason stays in history
    /// forever: it must not hold personal data.
    pub fn record(&mut self, user: UserId, action: Action, reason: &str) {
        let (counter, word) = match action {
            Action::Created => (&mut self.created, "created"),
            Action::Changed => (&mut self.changed, "changed"),
            Action::Deleted => (&mut self.deleted, "deleted"),
            Action::DeletedOnRequest => (&mut self.deleted_requested, "deleted on request"),
        };
        *counter += 1;
        if self.lines.len() < NAMED {
            // One line, so that no reason can look like a trailer.
            let reason: String = reason
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .take(REASON)
                .collect();
            self.lines
                .push(format!("- {word} {user}: {}", reason.trim()));
        }
    }

    /// True for a commit that is made even if no file changes.
    pub(super) fn is_take_over(&self) -> bool {
        self.occasion == Occasion::TakeOver
    }

    /// How many users were recorded.
    #[must_use]
    pub const fn users(&self) -> u64 {
        self.created + self.changed + self.deleted + self.deleted_requested
    }

    fn subject(&self, checkpoint: &Checkpoint) -> String {
        let users = self.users();
        let deleted = self.deleted + self.deleted_requested;
        let word = match self.occasion {
            Occasion::TakeOver => return format!("take-over by fence {}", checkpoint.fence),
            Occasion::FullReconcile => "full reconcile",
            Occasion::Repair => "repair",
            Occasion::Changes if users > 0 && users == self.quarantined.len() as u64 => {
                "quarantine"
            }
            Occasion::Changes if users == self.created => "sign-up",
            Occasion::Changes if users == deleted => "deletion",
            Occasion::Changes => "change",
        };
        format!(
            "{word}: {} user{}",
            grouped(users),
            if users == 1 { "" } else { "s" }
        )
    }

    /// The whole message: subject, users, trailers.
    pub(super) fn text(&self, checkpoint: &Checkpoint) -> String {
        let mut text = self.subject(checkpoint);
        text.push_str("\n\n");
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        let rest = self.users() - self.lines.len() as u64;
        // Writing to a string cannot fail.
        if rest > 0 {
            let _ = writeln!(text, "- and {} more", grouped(rest));
        }
        if self.users() > 0 {
            text.push('\n');
        }
        let Checkpoint {
            epoch,
            version,
            fence,
            policy,
            ..
        } = checkpoint;
        let _ = writeln!(
            text,
            "Coditect-Fence: {fence}\nCoditect-Epoch: {epoch}\nCoditect-Version: {version}"
        );
        if let Some(policy) = policy {
            let _ = writeln!(text, "Coditect-Policy: {policy}");
        }
        let Self {
            created, changed, ..
        } = self;
        let deleted = self.deleted + self.workspaces_deleted;
        let deleted_requested = self.deleted_requested + self.workspaces_deleted_requested;
        let _ = writeln!(
            text,
            "Coditect-Created: {created}\nCoditect-Changed: {changed}"
        );
        let _ = writeln!(
            text,
            "Coditect-Deleted: {deleted}\nCoditect-Deleted-Requested: {deleted_requested}"
        );
        for user in &self.quarantined {
            let _ = writeln!(text, "{QUARANTINED}: {user}");
        }
        text
    }
}

/// The figures of a renderer's commit, read back from its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailers {
    /// The fencing number it was made under.
    pub fence: Fence,
    /// The registry's life.
    pub epoch: Epoch,
    /// The registry's version.
    pub version: Version,
    /// The policy's commit.
    pub policy: Option<Oid>,
    /// Files that were new.
    pub created: u64,
    /// Files that changed.
    pub changed: u64,
    /// Files, and workspaces in files that stay, deleted without a person's own request.
    pub deleted: u64,
    /// Files, and workspaces in files that stay, deleted by the persons' own requests.
    pub deleted_requested: u64,
}

impl Trailers {
    /// Reads the last paragraph of a message; `None` if it is not a renderer's.
    #[must_use]
    pub fn parse(message: &str) -> Option<Self> {
        let last = message.trim_end().rsplit("\n\n").next()?;
        let text = |key: &str| {
            last.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
        };
        let number = |key: &str| text(key)?.parse::<u64>().ok();
        let epoch = serde_json::from_value(text("Coditect-Epoch")?.into()).ok()?;
        let policy = match text("Coditect-Policy") {
            Some(policy) => Some(Oid::from_str(policy).ok()?),
            None => None,
        };
        Some(Self {
            fence: Fence(number("Coditect-Fence")?),
            epoch,
            version: Version(number("Coditect-Version")?),
            policy,
            created: number("Coditect-Created")?,
            changed: number("Coditect-Changed")?,
            deleted: number("Coditect-Deleted")?,
            deleted_requested: number("Coditect-Deleted-Requested")?,
        })
    }
}

/// The users whose refused files the commit of this message replaces; none if it is not a renderer's.
pub(super) fn quarantined_in(message: &str) -> BTreeSet<UserId> {
    if Trailers::parse(message).is_none() {
        return BTreeSet::new();
    }
    let trailers = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    trailers
        .lines()
        .filter_map(|line| {
            line.strip_prefix(QUARANTINED)?
                .strip_prefix(": ")?
                .parse()
                .ok()
        })
        .collect()
}

/// The reason that a message gives for a user, if it names them.
pub(super) fn reason_for(message: &str, user: UserId) -> Option<String> {
    let user = format!(" {user}: ");
    message
        .lines()
        .filter(|line| line.starts_with("- "))
        .find_map(|line| Some(line.split_once(&user)?.1.to_owned()))
}

/// A number with thousands set off by commas.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            epoch: Epoch::from_bytes([1; 16]),
            version: Version(42),
            fence: Fence(7),
            policy: Some(Oid::from_bytes(&[2; 20]).unwrap()),
            templates: [].into(),
            engine: "1".to_owned(),
        }
    }

    fn user(n: u128) -> UserId {
        UserId::from_bytes(n.to_be_bytes())
    }

    #[test]
    fn says_what_changed_and_why() {
        let mut message = Message::new(Occasion::Changes);
        message.record(user(1), Action::Created, "signed up");
        assert_eq!(message.subject(&checkpoint()), "sign-up: 1 user");
        message.record(user(2), Action::DeletedOnRequest, "erasure");
        assert_eq!(message.subject(&checkpoint()), "change: 2 users");
        assert!(
            message
                .text(&checkpoint())
                .contains("- created 00000000-0000-0000-0000-000000000001: signed up\n")
        );
        assert_eq!(
            Message::new(Occasion::TakeOver).subject(&checkpoint()),
            "take-over by fence 7"
        );
    }

    #[test]
    fn ten_thousand_users_are_counted_and_twenty_named() {
        let mut message = Message::new(Occasion::FullReconcile);
        for n in 0..10_000 {
            message.record(user(n), Action::Changed, "policy");
        }
        let text = message.text(&checkpoint());
        assert!(text.starts_with("full reconcile: 10,000 users\n\n"));
        assert!(text.contains("- and 9,980 more\n"));
        assert!(text.len() < 3_000);
    }

    #[test]
    fn the_figures_come_back() {
        let mut message = Message::new(Occasion::Changes);
        message.record(user(1), Action::Created, "signed up");
        message.record(user(2), Action::Deleted, "tombstone");
        message.record(user(3), Action::DeletedOnRequest, "erasure");
        let trailers = Trailers::parse(&message.text(&checkpoint())).unwrap();
        let Checkpoint {
            epoch,
            version,
            fence,
            policy,
            ..
        } = checkpoint();
        assert_eq!(
            trailers,
            Trailers {
                fence,
                epoch,
                version,
                policy,
                created: 1,
                changed: 0,
                deleted: 1,
                deleted_requested: 1
            }
        );
        assert_eq!(Trailers::parse("someone's own words\n"), None);
    }

    #[test]
    fn everyone_quarantined_is_named() {
        let mut message = Message::new(Occasion::Changes);
        for n in 0..300 {
            message.record(user(n), Action::Changed, "quarantined");
            message.record_quarantine(user(n));
        }
        assert_eq!(message.subject(&checkpoint()), "quarantine: 300 users");
        let text = message.text(&checkpoint());
        assert_eq!(quarantined_in(&text), (0..300).map(user).collect());
        assert_eq!(
            Trailers::parse(&text).map(|trailers| trailers.changed),
            Some(300)
        );
        let mut forged = Message::new(Occasion::Changes);
        forged.record(
            user(1),
            Action::Changed,
            &format!("x\n\n{QUARANTINED}: {}", user(2)),
        );
        assert!(quarantined_in(&forged.text(&checkpoint())).is_empty());
    }

    #[test]
    fn a_reason_cannot_pass_for_a_trailer() {
        let mut message = Message::new(Occasion::Changes);
        message.record(
            user(1),
            Action::Deleted,
            "x\n\nCoditect-Deleted: 0\r\nCoditect-Fence: 99",
        );
        let trailers = Trailers::parse(&message.text(&checkpoint())).unwrap();
        assert_eq!((trailers.deleted, trailers.fence), (1, Fence(7)));
    }
}
