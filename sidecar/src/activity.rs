//! Whether the workspace is used. Only what a person does, what a terminal prints and what tasks run count: never
//! that a socket is open, a page reconnects, or something asks how we are.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use coditect_core::sidecar::Use;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// How long the IDE's last word holds: it speaks every half minute.
const HOLDS: Duration = Duration::from_secs(90);
/// How long use counts as going on: a pause for thought is not idleness.
const GOES_ON: Duration = Duration::from_secs(60);

/// What is known of use.
#[derive(Debug, Default)]
pub(crate) struct Activity(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    said: Option<Instant>,
    used: Option<Instant>,
    input_at: Option<Timestamp>,
    output_at: Option<Timestamp>,
}

/// What the IDE says every half minute, and whenever something begins. Not that a person typed: any program in the pod
/// could say that, and only a tab of somebody who is in is believed.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Word {
    /// A terminal printed something since the last word.
    #[serde(default)]
    pub(crate) output: bool,
    /// How many tasks run.
    #[serde(default)]
    pub(crate) tasks: u32,
}

/// The answer to whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Answer {
    /// One of three.
    pub(crate) used: Use,
    /// When a person last typed or clicked.
    pub(crate) input_at: Option<Timestamp>,
    /// When a terminal last printed, or a task last ran.
    pub(crate) output_at: Option<Timestamp>,
}

impl Activity {
    /// The IDE speaks. True if use begins with it.
    pub(crate) fn say(&self, word: Word) -> bool {
        let (mut state, now, at) = (self.lock(), Instant::now(), Timestamp::now());
        state.said = Some(now);
        let was_used = within(state.used, GOES_ON);
        let is_used = word.output || word.tasks > 0;
        if is_used {
            state.output_at = Some(at);
            state.used = Some(now);
        }
        is_used && !was_used
    }

    /// A tab says that a person typed or clicked in it. That the IDE itself is silent stays unknown. True if use
    /// begins with it.
    pub(crate) fn input(&self) -> bool {
        let mut state = self.lock();
        let was_used = within(state.used, GOES_ON);
        state.input_at = Some(Timestamp::now());
        state.used = Some(Instant::now());
        !was_used
    }

    /// How it stands.
    pub(crate) fn answer(&self) -> Answer {
        let state = self.lock();
        let used = if within(state.used, GOES_ON) {
            Use::Active
        } else if within(state.said, HOLDS) {
            Use::Idle
        } else {
            Use::Unknown
        };
        Answer {
            used,
            input_at: state.input_at,
            output_at: state.output_at,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn within(at: Option<Instant>, limit: Duration) -> bool {
    at.is_some_and(|at| at.elapsed() < limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_unknown_and_only_the_ides_word_is_idle() {
        let activity = Activity::default();
        assert_eq!(activity.answer().used, Use::Unknown);
        activity.say(Word::default());
        let answer = activity.answer();
        assert_eq!(
            (answer.used, answer.input_at, answer.output_at),
            (Use::Idle, None, None)
        );
        pass(HOLDS.as_secs()).await;
        assert_eq!(activity.answer().used, Use::Unknown);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_build_with_no_tab_open_is_use() {
        let activity = Activity::default();
        for _ in 0..100 {
            activity.say(Word {
                tasks: 1,
                ..Word::default()
            });
            pass(30).await;
            let answer = activity.answer();
            assert_eq!((answer.used, answer.input_at), (Use::Active, None));
        }
        activity.say(Word::default());
        pass(30).await;
        assert_eq!(activity.answer().used, Use::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn a_person_typing_is_use_even_if_the_ide_is_silent() {
        let activity = Activity::default();
        activity.input();
        assert_eq!(activity.answer().used, Use::Active);
        pass(GOES_ON.as_secs()).await;
        let answer = activity.answer();
        assert_eq!(answer.used, Use::Unknown);
        assert!(answer.input_at.is_some() && answer.output_at.is_none());
    }
}
