//! Which shards are told a second time, because Argo CD may have lost the first.
//!
//! Argo CD notes on an Application that it is to be looked at, and takes the note off when it has looked. A second
//! event for the same Application that arrives while it looks finds the note there, and its own goes with the first
//! (`persistAppStatus` in its `controller/appcontroller.go` removes what was there when it began): the second commit
//! would wait for the poll. So a shard that is named twice within a short time is named again, once it is quiet: while
//! events go on, the next one does the same, and each look at a full shard costs Argo CD a second of processor time.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::git::Paths;

/// How long Argo CD may take from an event to the end of its look: two events of one shard further apart than this
/// do not meet.
const LOOK: Duration = Duration::from_secs(30);
/// How long after the event that may be lost its shard is named again: a look at a full shard, and its sync, take four
/// seconds.
const SOON: Duration = Duration::from_secs(5);
/// And when once more, for a controller that is busy.
const LATER: Duration = Duration::from_secs(20);

/// What was named lately, and what is to be named again.
#[derive(Debug, Default)]
pub(super) struct Again(BTreeMap<String, Named>);

/// A shard that was named.
#[derive(Debug)]
struct Named {
    /// A path of it.
    path: String,
    at: Instant,
    /// When it is to be named again, the next time last.
    due: Vec<Instant>,
}

impl Again {
    /// An event with these paths was taken.
    pub(super) fn sent(&mut self, now: Instant, paths: &Paths) {
        self.0
            .retain(|_, named| !named.due.is_empty() || now.duration_since(named.at) <= LOOK);
        let mut shards: BTreeMap<String, &String> = BTreeMap::new();
        for path in [&paths.added, &paths.modified, &paths.removed]
            .into_iter()
            .flatten()
        {
            if let Some(shard) = shard(path) {
                shards.entry(shard).or_insert(path);
            }
        }
        for (shard, path) in shards {
            let meets = self.0.contains_key(&shard);
            let due = meets.then(|| vec![now + LATER, now + SOON]);
            let named = Named {
                path: path.clone(),
                at: now,
                due: due.unwrap_or_default(),
            };
            self.0.insert(shard, named);
        }
    }

    /// When something is to be named again.
    pub(super) fn due(&self) -> Option<Instant> {
        let next = self.0.values().filter_map(|named| named.due.last());
        next.min().copied()
    }

    /// A path of each shard that is to be named again now.
    pub(super) fn take(&mut self, now: Instant) -> Vec<String> {
        let mut paths = Vec::new();
        for named in self.0.values_mut() {
            if named.due.pop_if(|due| *due <= now).is_some() {
                paths.push(named.path.clone());
            }
        }
        paths
    }
}

fn shard(path: &str) -> Option<String> {
    let (shard, _) = path.strip_prefix("shards/")?.split_once('/')?;
    Some(shard.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(shards: &[&str]) -> Paths {
        let files = shards.iter().map(|shard| format!("shards/{shard}/x.yaml"));
        Paths {
            added: files.collect(),
            modified: vec![".coditect/state.yaml".to_owned()],
            ..Paths::default()
        }
    }

    #[test]
    fn different_shards_are_named_once() {
        let (mut again, now) = (Again::default(), Instant::now());
        again.sent(now, &paths(&["0a"]));
        again.sent(now, &paths(&["0b", "0c"]));
        assert_eq!(again.due(), None);
        again.sent(now + LOOK + Duration::from_secs(1), &paths(&["0a"]));
        assert_eq!(again.due(), None, "the first look is long over");
    }

    #[test]
    fn a_shard_named_twice_is_named_again_twice() {
        let (mut again, now) = (Again::default(), Instant::now());
        again.sent(now, &paths(&["0a"]));
        again.sent(now, &paths(&["0b", "0a"]));
        assert_eq!(again.due(), Some(now + SOON));
        assert!(again.take(now).is_empty());
        assert_eq!(again.take(now + SOON), ["shards/0a/x.yaml"]);
        assert_eq!(again.due(), Some(now + LATER));
        assert_eq!(again.take(now + LATER), ["shards/0a/x.yaml"]);
        assert_eq!(again.due(), None);
    }

    #[test]
    fn a_stream_of_events_is_followed_by_two_rounds_after_its_end() {
        let (mut again, began) = (Again::default(), Instant::now());
        for second in 0..60 {
            let now = began + Duration::from_secs(second);
            again.sent(now, &paths(&["0a"]));
            assert!(again.take(now).is_empty(), "the next event does the same");
        }
        let last = began + Duration::from_secs(59);
        for due in [last + SOON, last + LATER] {
            assert_eq!(again.due(), Some(due));
            assert_eq!(again.take(due), ["shards/0a/x.yaml"]);
        }
        assert_eq!(again.due(), None);
    }

    #[test]
    fn what_is_to_be_named_again_is_not_forgotten_meanwhile() {
        let (mut again, now) = (Again::default(), Instant::now());
        again.sent(now, &paths(&["0a"]));
        again.sent(now, &paths(&["0a"]));
        let much_later = now + LOOK + LOOK;
        again.sent(much_later, &paths(&["0b"]));
        assert_eq!(again.take(much_later), ["shards/0a/x.yaml"]);
        assert_eq!(again.take(much_later), ["shards/0a/x.yaml"]);
        again.sent(much_later, &paths(&["0c"]));
        assert_eq!(again.0.len(), 2, "0a is over");
    }
}
