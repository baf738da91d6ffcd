//! Which shards are told a second time, because Argo CD may have lost the first.
//!
//! Argo CD notes on an Application that it is to be looked at, and takes the note off when it has looked. A second
//! event for the same Application that arrives while it looks finds the note there, and its own goes with the first
//! (`persistAppStatus` in its `controller/appcontroller.go` removes what was there when it began): the second commit
//! would wait for the poll. So a shard that is named twice within a short time is named again, a little later.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use crate::git::Paths;

/// How long Argo CD may take from an event to the end of its look: two events of one shard further apart than this
/// do not meet.
const LOOK: Duration = Duration::from_secs(30);
/// How soon after the event that may be lost its shard is named again: a look takes a second or less.
const SOON: Duration = Duration::from_secs(2);
/// And when once more, for a controller that is busy.
const LATER: Duration = Duration::from_secs(15);

/// What was named lately, and what is to be named again.
#[derive(Debug, Default)]
pub(super) struct Again {
    sent: VecDeque<(Instant, BTreeSet<String>)>,
    soon: Option<Round>,
    later: Option<Round>,
}

/// Shards to be named again, each by a path of its own.
#[derive(Debug)]
struct Round {
    due: Instant,
    /// When it is over, however many more join it.
    last: Instant,
    shards: BTreeMap<String, String>,
}

impl Again {
    /// An event with these paths was taken.
    pub(super) fn sent(&mut self, now: Instant, paths: &Paths) {
        while let Some((at, _)) = self.sent.front()
            && now.duration_since(*at) > LOOK
        {
            self.sent.pop_front();
        }
        let all = [&paths.added, &paths.modified, &paths.removed];
        let shards: BTreeMap<String, String> = all
            .into_iter()
            .flatten()
            .filter_map(|path| Some((shard(path)?, path.clone())))
            .collect();
        let met: BTreeMap<String, String> = shards
            .iter()
            .filter(|(shard, _)| self.sent.iter().any(|(_, sent)| sent.contains(*shard)))
            .map(|(shard, path)| (shard.clone(), path.clone()))
            .collect();
        self.sent.push_back((now, shards.into_keys().collect()));
        if met.is_empty() {
            return;
        }
        let soon = self.soon.get_or_insert_with(|| Round::new(now + SOON));
        soon.shards.extend(met.clone());
        let later = self.later.get_or_insert_with(|| Round::new(now + LATER));
        later.due = (now + LATER).min(later.last);
        later.shards.extend(met);
    }

    /// When something is to be named again.
    pub(super) fn due(&self) -> Option<Instant> {
        let rounds = [&self.soon, &self.later];
        rounds.into_iter().flatten().map(|round| round.due).min()
    }

    /// A path of each shard that is to be named again now.
    pub(super) fn take(&mut self, now: Instant) -> Vec<String> {
        [&mut self.soon, &mut self.later]
            .into_iter()
            .filter_map(|round| round.take_if(|round| round.due <= now))
            .flat_map(|round| round.shards.into_values())
            .collect()
    }
}

impl Round {
    fn new(due: Instant) -> Self {
        Self {
            due,
            last: due + LATER,
            shards: BTreeMap::new(),
        }
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
    fn a_stream_of_events_is_followed_all_the_while_and_after_its_end() {
        let (mut again, began) = (Again::default(), Instant::now());
        let mut rounds = 0;
        for second in 0..60 {
            let now = began + Duration::from_secs(second);
            again.sent(now, &paths(&["0a"]));
            rounds += usize::from(!again.take(now).is_empty());
        }
        assert!(rounds >= 15, "{rounds}");
        let last = began + Duration::from_secs(59);
        let mut after = Vec::new();
        while let Some(due) = again.due() {
            assert!(!again.take(due).is_empty());
            after.push(due);
        }
        assert!(after.iter().any(|due| *due > last));
        assert!(after.len() <= 2);
    }
}
