//! Who is in, by login, and who was shut out.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use coditect_core::{
    LoginId,
    sidecar::{Access, LONGEST_ENTRY},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How old the API's last word on who may be in can be for a new socket: twice the longest time that it lets a
/// question wait.
const FRESH: Duration = Duration::from_secs(50);
/// How long open sockets live on without a word of the API.
const PATIENCE: Duration = Duration::from_secs(60 * 60);
/// How long a login that ended is remembered: no token of it lasts longer.
const REMEMBERED: Duration = Duration::from_secs(LONGEST_ENTRY.as_secs().unsigned_abs() + 120);
/// Most that are remembered of what the API says.
const MOST: usize = 10_000;

/// Who is in. Cheap to clone; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logins(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// When the API last said who may be in.
    heard: Option<Instant>,
    /// Logins that ended, and since when that is known.
    ended: HashMap<LoginId, Instant>,
    revoked_keys: BTreeSet<String>,
    /// Who has exchanges going on, or had when it was last looked.
    present: HashMap<Who, Arc<Present>>,
}

/// The exchanges of a login. All of them are cut at once.
#[derive(Debug, Default)]
struct Present {
    cut: CancellationToken,
    all: AtomicUsize,
    lasting: AtomicUsize,
}

/// A login and the key by whose signature it came in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Who {
    pub(crate) login: LoginId,
    pub(crate) key: Arc<str>,
}

/// Why somebody with a good token is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shut {
    /// The login ended, or the key was revoked.
    Out,
    /// Nobody knows: the API has not been heard of.
    Unknown,
}

impl Logins {
    /// Lets an exchange in, until the answer is dropped. A `lasting` one (a socket) needs a fresh word of the API;
    /// for another one its token, which lasts minutes, is word enough.
    pub(crate) fn admit(&self, who: Who, lasting: bool) -> Result<Presence, Shut> {
        let mut state = self.lock();
        let longest = if lasting { FRESH } else { PATIENCE };
        if state.heard.is_none_or(|heard| heard.elapsed() > longest) {
            return Err(Shut::Unknown);
        }
        if state.ended.contains_key(&who.login) || state.revoked_keys.contains(&*who.key) {
            return Err(Shut::Out);
        }
        let present = Arc::clone(state.present.entry(who).or_default());
        present.all.fetch_add(1, Relaxed);
        present.lasting.fetch_add(lasting.into(), Relaxed);
        Ok(Presence { present, lasting })
    }

    /// What the API says now: whoever it shuts out is cut off at once.
    pub(crate) fn hear(&self, access: &Access) {
        let mut state = self.lock();
        let now = Instant::now();
        state.heard = Some(now);
        state.ended.retain(|_, since| since.elapsed() < REMEMBERED);
        for login in access.ended_logins.iter().take(MOST) {
            state.ended.insert(*login, now);
        }
        state.revoked_keys = access.revoked_keys.iter().take(MOST).cloned().collect();
        let State {
            present,
            ended,
            revoked_keys,
            ..
        } = &mut *state;
        present.retain(|who, present| {
            let is_out = ended.contains_key(&who.login) || revoked_keys.contains(&*who.key);
            if is_out {
                present.cut.cancel();
            }
            !is_out && present.all.load(Relaxed) > 0
        });
    }

    /// Cuts everybody off if the API has been silent for too long. True if it has.
    pub(crate) fn lose_patience(&self) -> bool {
        let mut state = self.lock();
        let lost = state.heard.is_some_and(|heard| heard.elapsed() > PATIENCE);
        if lost {
            for (_, present) in state.present.drain() {
                present.cut.cancel();
            }
        }
        lost
    }

    /// How many sockets are open.
    pub(crate) fn sockets(&self) -> usize {
        let state = self.lock();
        let present = state.present.values();
        present.map(|present| present.lasting.load(Relaxed)).sum()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody is in, until this is dropped.
#[derive(Debug)]
pub(crate) struct Presence {
    present: Arc<Present>,
    lasting: bool,
}

impl Presence {
    /// Cancelled when they are shut out.
    pub(crate) fn cut(&self) -> &CancellationToken {
        &self.present.cut
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.present.all.fetch_sub(1, Relaxed);
        self.present.lasting.fetch_sub(self.lasting.into(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(login: LoginId, key: &str) -> Who {
        Who {
            login,
            key: key.into(),
        }
    }

    fn ended(logins: &[LoginId]) -> Access {
        Access {
            ended_logins: logins.to_vec(),
            ..Access::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_that_ends_is_cut_off_and_stays_out_and_nobody_else() {
        let logins = Logins::default();
        let (one, two) = (LoginId::random(), LoginId::random());
        assert_eq!(
            logins.admit(who(one, "k"), false).unwrap_err(),
            Shut::Unknown,
            "nothing has been heard"
        );
        logins.hear(&Access::default());
        let first = logins.admit(who(one, "k"), true).unwrap();
        let second = logins.admit(who(two, "k"), true).unwrap();
        logins.hear(&ended(&[one]));
        assert!(first.cut().is_cancelled() && !second.cut().is_cancelled());
        drop(first);
        // Also when a later answer no longer names it.
        logins.hear(&Access::default());
        assert_eq!(logins.admit(who(one, "k"), false).unwrap_err(), Shut::Out);
        tokio::time::advance(REMEMBERED).await;
        logins.hear(&Access::default());
        assert!(logins.admit(who(one, "k"), false).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_revoked_key_shuts_out_whoever_came_in_by_it() {
        let logins = Logins::default();
        logins.hear(&Access::default());
        let login = LoginId::random();
        let old = logins.admit(who(login, "old"), true).unwrap();
        let new = logins.admit(who(login, "new"), true).unwrap();
        logins.hear(&Access {
            revoked_keys: vec!["old".to_owned()],
            ..Access::default()
        });
        assert!(old.cut().is_cancelled() && !new.cut().is_cancelled());
        assert!(logins.admit(who(login, "old"), false).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_api_stops_new_sockets_soon_and_open_ones_after_an_hour() {
        let logins = Logins::default();
        logins.hear(&Access::default());
        let open = logins.admit(who(LoginId::random(), "k"), true).unwrap();
        tokio::time::advance(FRESH + Duration::from_secs(1)).await;
        let late = who(LoginId::random(), "k");
        assert_eq!(logins.admit(late.clone(), true).unwrap_err(), Shut::Unknown);
        assert!(logins.admit(late.clone(), false).is_ok());
        assert!(!logins.lose_patience() && !open.cut().is_cancelled());
        tokio::time::advance(PATIENCE).await;
        assert!(logins.lose_patience() && open.cut().is_cancelled());
        assert!(logins.admit(late, false).is_err());
    }

    #[tokio::test]
    async fn nothing_is_kept_of_those_who_left() {
        let logins = Logins::default();
        logins.hear(&Access::default());
        let who = who(LoginId::random(), "k");
        let (one, two) = (
            logins.admit(who.clone(), true).unwrap(),
            logins.admit(who, true).unwrap(),
        );
        drop(one);
        logins.hear(&Access::default());
        assert_eq!(logins.lock().present.len(), 1);
        assert_eq!(logins.sockets(), 1);
        drop(two);
        logins.hear(&Access::default());
        assert_eq!(logins.lock().present.len(), 0);
    }
}
