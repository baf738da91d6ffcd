//! The tabs of a workspace and what they share.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use coditect_core::sidecar::{SharedState, SharedValue};
use serde_json::Value;
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::sync::CancellationToken;

use super::{
    limits::write,
    protocol::{Close, SharedEntry, Tells, VERSION},
};

/// Most tabs at once.
const MOST_TABS: usize = 32;
/// Most messages that wait for a tab to read them.
const MOST_WAITING: usize = 128;
/// Most shared values, and how many bytes they hold together: what the registry keeps of a session.
const MOST_VALUES: usize = 256;
const MOST_BYTES: usize = 32 * 1024;

/// The tabs of a workspace and what they share.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    state: Mutex<State>,
    /// Something changed that should be kept.
    pub(crate) changed: Notify,
    /// A tab saved everything, or went.
    pub(crate) saved: Notify,
}

#[derive(Debug, Default)]
struct State {
    tabs: BTreeMap<u64, Tab>,
    next: u64,
    shared: SharedState,
    dirty: bool,
    /// Whether what the API keeps has been taken in.
    loaded: bool,
}

#[derive(Debug)]
struct Tab {
    name: String,
    out: mpsc::Sender<Utf8Bytes>,
    slow: CancellationToken,
    is_saving: bool,
}

/// A tab's place in the hub, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat<'a> {
    hub: &'a Hub,
    number: u64,
    /// What it is told.
    pub(crate) told: mpsc::Receiver<Utf8Bytes>,
    /// A way to tell it more.
    pub(crate) out: mpsc::Sender<Utf8Bytes>,
    /// Cancelled when it reads too slowly.
    pub(crate) slow: CancellationToken,
}

impl Hub {
    /// A tab comes; it is welcomed and the others are told.
    pub(crate) fn join(&self, name: String) -> Result<Seat<'_>, Close> {
        let mut state = self.lock();
        if state.tabs.len() >= MOST_TABS {
            return Err(Close::TooMany);
        }
        let (out, told) = mpsc::channel(MOST_WAITING);
        let (number, slow) = (state.next, CancellationToken::new());
        state.next += 1;
        let tab = Tab {
            name,
            out: out.clone(),
            slow: slow.clone(),
            is_saving: false,
        };
        state.tabs.insert(number, tab);
        let tabs = state.names();
        let welcome = Tells::Welcome {
            version: VERSION,
            values: state.entries(),
            tabs: tabs.clone(),
        };
        state.tell(|at| at == number, &welcome);
        state.tell(|at| at != number, &Tells::Tabs { tabs });
        Ok(Seat {
            hub: self,
            number,
            told,
            out,
            slow,
        })
    }

    /// Tells every tab.
    pub(crate) fn tell(&self, tells: &Tells) {
        self.lock().tell(|_| true, tells);
    }

    /// Asks every tab to save. How many there are.
    pub(crate) fn ask_to_save(&self, seconds: u32) -> usize {
        let mut state = self.lock();
        for tab in state.tabs.values_mut() {
            tab.is_saving = true;
        }
        state.tell(|_| true, &Tells::Stopping { seconds });
        state.tabs.len()
    }

    /// How many tabs were asked to save and have not said that they did.
    pub(crate) fn saving(&self) -> usize {
        let state = self.lock();
        state.tabs.values().filter(|tab| tab.is_saving).count()
    }

    /// Takes in what the API keeps. What tabs have put meanwhile wins.
    pub(crate) fn load(&self, kept: SharedState) {
        let mut state = self.lock();
        state.loaded = true;
        state.shared.revision = state.shared.revision.max(kept.revision);
        for (key, value) in kept.values {
            let here = state.shared.values.get_mut(&key);
            match here {
                // Above what is kept, so that nobody takes the one for the other.
                Some(here) => here.version = here.version.max(value.version.saturating_add(1)),
                None => {
                    state.shared.values.insert(key, value);
                }
            }
        }
        let entries = state.entries();
        for entry in entries {
            state.tell(|_| true, &Tells::Changed(entry));
        }
    }

    /// Whether what the API keeps has been taken in.
    pub(crate) fn is_loaded(&self) -> bool {
        self.lock().loaded
    }

    /// What should be kept, if something changed since it was asked last.
    pub(crate) fn take_changed(&self) -> Option<SharedState> {
        let mut state = self.lock();
        if !std::mem::take(&mut state.dirty) {
            return None;
        }
        state.shared.revision += 1;
        Some(state.shared.clone())
    }

    /// What was taken was not kept.
    pub(crate) fn give_back(&self) {
        self.lock().dirty = true;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat<'_> {
    /// The tab changes a value; it and the others are told what holds now.
    pub(crate) fn put(&self, key: String, base: u64, value: &Value) {
        let mut state = self.hub.lock();
        let here = state.shared.values.get(&key);
        let version = here.map_or(0, |here| here.version);
        let text = value.to_string();
        if base != version || !state.has_room(&key, &text) {
            let entry = entry(&key, here);
            state.tell(|at| at == self.number, &Tells::Stale(entry));
            return;
        }
        let version = version + 1;
        // What was taken away keeps its version, so that an older change cannot bring it back.
        let shared = SharedValue {
            version,
            value: text,
        };
        let changed = Tells::Changed(SharedEntry {
            key: key.clone(),
            version,
            value: value.clone(),
        });
        state.shared.values.insert(key.clone(), shared);
        state.dirty = true;
        state.tell(|at| at == self.number, &Tells::Kept { key, version });
        state.tell(|at| at != self.number, &changed);
        drop(state);
        self.hub.changed.notify_one();
    }

    /// The tab has saved everything.
    pub(crate) fn saved(&self) {
        if let Some(tab) = self.hub.lock().tabs.get_mut(&self.number) {
            tab.is_saving = false;
        }
        self.hub.saved.notify_one();
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        state.tabs.remove(&self.number);
        let tabs = state.names();
        state.tell(|_| true, &Tells::Tabs { tabs });
        drop(state);
        self.hub.saved.notify_one();
    }
}

impl State {
    fn names(&self) -> Vec<String> {
        self.tabs.values().map(|tab| tab.name.clone()).collect()
    }

    fn entries(&self) -> Vec<SharedEntry> {
        let values = self.shared.values.iter();
        values
            .map(|(key, value)| entry(key, Some(value)))
            .filter(|entry| !entry.value.is_null())
            .collect()
    }

    fn has_room(&self, key: &str, text: &str) -> bool {
        let others = self.shared.values.iter().filter(|(at, _)| *at != key);
        let (count, bytes) = others.fold(
            (1, key.len() + text.len()),
            |(count, bytes), (key, value)| (count + 1, bytes + key.len() + value.value.len()),
        );
        count <= MOST_VALUES && bytes <= MOST_BYTES
    }

    /// Tells some tabs. One that has too much to read already is let go.
    fn tell(&self, whom: impl Fn(u64) -> bool, tells: &Tells) {
        let text = Utf8Bytes::from(write(tells));
        for (number, tab) in &self.tabs {
            if whom(*number) && tab.out.try_send(text.clone()).is_err() {
                tab.slow.cancel();
            }
        }
    }
}

fn entry(key: &str, value: Option<&SharedValue>) -> SharedEntry {
    SharedEntry {
        key: key.to_owned(),
        version: value.map_or(0, |value| value.version),
        value: value.map_or(Value::Null, |value| {
            serde_json::from_str(&value.value).unwrap_or_default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn heard(seat: &mut Seat<'_>) -> Vec<Value> {
        let mut heard = Vec::new();
        while let Ok(text) = seat.told.try_recv() {
            heard.push(serde_json::from_str(&text).unwrap());
        }
        heard
    }

    #[test]
    fn what_one_tab_puts_the_others_see_and_the_slower_one_loses() {
        let hub = Hub::default();
        let mut one = hub.join("one".to_owned()).unwrap();
        let mut two = hub.join("two".to_owned()).unwrap();
        assert_eq!(heard(&mut two)[0]["tabs"], json!(["one", "two"]));
        assert_eq!(
            heard(&mut one)[1],
            json!({"type": "tabs", "tabs": ["one", "two"]})
        );
        one.put("layout".to_owned(), 0, &json!({"left": 1}));
        assert_eq!(
            heard(&mut one),
            [json!({"type": "kept", "key": "layout", "version": 1})]
        );
        assert_eq!(
            heard(&mut two),
            [json!({"type": "changed", "key": "layout", "version": 1, "value": {"left": 1}})]
        );
        two.put("layout".to_owned(), 0, &json!("late"));
        assert_eq!(
            heard(&mut two),
            [json!({"type": "stale", "key": "layout", "version": 1, "value": {"left": 1}})]
        );
        assert!(heard(&mut one).is_empty());
        two.put("layout".to_owned(), 1, &Value::Null);
        drop(one);
        // A third one sees nothing of what was taken away; an old change does not bring it back.
        let mut three = hub.join("three".to_owned()).unwrap();
        assert_eq!(heard(&mut three)[0]["values"], json!([]));
        three.put("layout".to_owned(), 1, &json!("back"));
        assert_eq!(heard(&mut three)[0]["type"], "stale");
    }

    #[test]
    fn there_is_room_for_so_much_and_no_more() {
        let hub = Hub::default();
        let mut tab = hub.join("one".to_owned()).unwrap();
        for at in 0..MOST_VALUES + 1 {
            tab.put(format!("k{at}"), 0, &json!(1));
            tab.put("large".to_owned(), 0, &json!("x".repeat(MOST_BYTES)));
            let heard = heard(&mut tab);
            let kept = heard.iter().filter(|heard| heard["type"] == "kept").count();
            assert_eq!(kept, usize::from(at < MOST_VALUES), "{at}");
        }
    }

    #[test]
    fn a_tab_that_does_not_read_is_let_go_and_holds_nobody_up() {
        let hub = Hub::default();
        let deaf = hub.join("deaf".to_owned()).unwrap();
        let mut other = hub.join("other".to_owned()).unwrap();
        for at in 0..=MOST_WAITING as u64 {
            other.put("k".to_owned(), at, &json!(at));
            heard(&mut other);
        }
        assert!(deaf.slow.is_cancelled() && !other.slow.is_cancelled());
    }

    #[test]
    fn what_is_kept_comes_back_and_never_over_what_was_put_meanwhile() {
        let hub = Hub::default();
        let tab = hub.join("one".to_owned()).unwrap();
        tab.put("mine".to_owned(), 0, &json!("new"));
        let kept = |value: &str, version| SharedValue {
            version,
            value: json!(value).to_string(),
        };
        hub.load(SharedState {
            revision: 7,
            values: [
                ("mine".to_owned(), kept("old", 5)),
                ("other".to_owned(), kept("old", 3)),
            ]
            .into(),
        });
        let state = hub.take_changed().unwrap();
        assert_eq!(state.revision, 8);
        assert_eq!(state.values["mine"], kept("new", 6));
        assert_eq!(state.values["other"], kept("old", 3));
        assert_eq!(hub.take_changed(), None);
        hub.give_back();
        assert_eq!(hub.take_changed().unwrap().revision, 9);
    }

    #[test]
    fn saving_is_done_when_all_have_saved_or_gone() {
        let hub = Hub::default();
        let (one, two) = (
            hub.join("one".to_owned()).unwrap(),
            hub.join("two".to_owned()).unwrap(),
        );
        assert_eq!((hub.ask_to_save(10), hub.saving()), (2, 2));
        one.saved();
        assert_eq!(hub.saving(), 1);
        drop(two);
        assert_eq!(hub.saving(), 0);
    }

    #[test]
    fn there_are_so_many_tabs_and_no_more() {
        let hub = Hub::default();
        let seats: Vec<_> = (0..MOST_TABS)
            .map(|at| hub.join(at.to_string()).unwrap())
            .collect();
        assert_eq!(hub.join("more".to_owned()).unwrap_err(), Close::TooMany);
        drop(seats);
        assert!(hub.join("more".to_owned()).is_ok());
    }
}
