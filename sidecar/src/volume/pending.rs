//! Which paths to look at: gathered, bounded, each once however often it changes.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use notify::{
    Event, EventKind,
    event::{AccessKind, AccessMode},
};
use tokio::sync::Notify;

/// Most paths and most bytes of them; with more, everything is looked at.
const MOST: usize = 10_000;
const MOST_BYTES: usize = 1024 * 1024;

/// Paths to look at.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    state: Mutex<Gathered>,
    pub(crate) wake: Notify,
}

#[derive(Debug, Default)]
struct Gathered {
    work: Work,
    bytes: usize,
}

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Look at these.
    pub(crate) paths: BTreeSet<PathBuf>,
    /// Look at everything.
    pub(crate) everything: bool,
}

impl Pending {
    /// Takes what the system says of the folder `volume`.
    pub(crate) fn hear(&self, volume: &Path, event: notify::Result<Event>) {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(%error, "the volume cannot be followed; everything is looked at");
                return self.everything();
            }
        };
        // That somebody reads is no change; we do.
        let is_change = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
            EventKind::Access(_) => false,
            _ => true,
        };
        if event.need_rescan() {
            self.everything();
        } else if is_change {
            let paths = event.paths.into_iter();
            self.add(paths.filter_map(|path| Some(path.strip_prefix(volume).ok()?.to_owned())));
        }
    }

    /// Paths from the volume's root.
    pub(crate) fn add(&self, paths: impl IntoIterator<Item = PathBuf>) {
        let mut gathered = self.lock();
        for path in paths {
            if gathered.work.everything {
                break;
            }
            let bytes = path.as_os_str().len();
            if gathered.work.paths.insert(path) {
                gathered.bytes += bytes;
            }
            if gathered.work.paths.len() > MOST || gathered.bytes > MOST_BYTES {
                gathered.become_everything();
            }
        }
        if gathered.work != Work::default() {
            self.wake.notify_one();
        }
    }

    /// Everything is to be looked at.
    pub(crate) fn everything(&self) {
        self.lock().become_everything();
        self.wake.notify_one();
    }

    /// Takes what is to be done.
    pub(crate) fn take(&self) -> Work {
        std::mem::take(&mut *self.lock()).work
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathered {
    fn become_everything(&mut self) {
        self.bytes = 0;
        self.work.everything = true;
        self.work.paths.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_paths_become_everything_and_take_no_room() {
        let pending = Pending::default();
        pending.add((0..MOST).map(|at| at.to_string().into()));
        assert_eq!(pending.lock().work.paths.len(), MOST);
        pending.add(["one more".into()]);
        pending.add(["and more".into()]);
        let work = pending.take();
        assert!(work.everything && work.paths.is_empty());
        assert_eq!(pending.take(), Work::default());
        pending.add((0..300).map(|at| format!("{at}{}", "x".repeat(4_000)).into()));
        assert!(pending.take().everything);
    }

    #[test]
    fn reading_is_no_change() {
        let pending = Pending::default();
        let event = |kind| Ok(Event::new(kind).add_path("/volume/a".into()));
        let volume = Path::new("/volume");
        pending.hear(volume, event(EventKind::Access(AccessKind::Any)));
        let read = AccessKind::Close(AccessMode::Read);
        pending.hear(volume, event(EventKind::Access(read)));
        assert_eq!(pending.take(), Work::default());
        let written = AccessKind::Close(AccessMode::Write);
        pending.hear(volume, event(EventKind::Access(written)));
        assert_eq!(pending.take().paths, [PathBuf::from("a")].into());
    }
}
