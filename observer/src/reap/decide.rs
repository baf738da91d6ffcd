//! Whether something may be removed now. Pure: evidence in, decision out.

use std::fmt;

use coditect_registry::record::Tombstone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// How long after a tombstone something that is not in the cluster may still come, if only Argo CD can be asked:
/// it keeps the commit that a branch points at for three minutes (Argo CD documentation, "timeout.reconciliation"),
/// and a sync under way ends within a few.
pub const MAY_STILL_COME: SignedDuration = SignedDuration::from_mins(10);

/// Everything that is known of one Namespace or volume that is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The registry's tombstone of the user or workspace.
    pub tombstone: Option<Tombstone>,
    /// True if the registry has an intent of it all the same.
    pub wanted: bool,
    /// What Git's newest commit says.
    pub git: Git,
    /// How its shard's Application fares.
    pub shard: Shard,
    /// What that Application says of the object.
    pub tracked: Tracked,
    /// Objects of it that are still there: they go first.
    pub leftovers: Vec<String>,
    /// Pods that use the volume.
    pub in_use: Vec<String>,
    /// The object itself; none if it is gone.
    pub live: Option<Live>,
    /// True if the budget leaves room for it.
    pub budget: bool,
}

/// What Git's newest commit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Git {
    /// Nobody can be asked.
    Unknown,
    /// It is there.
    Present,
    /// It is not there.
    Absent,
}

/// How a shard's Application fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shard {
    /// There is none.
    Missing,
    /// It is not what its commit says, or a sync is under way.
    Unsettled(String),
    /// It is what its commit says.
    Synced {
        /// When it was last compared.
        compared_at: Option<Timestamp>,
        /// True if its commit holds of the shard what the newest one does.
        newest: bool,
    },
}

/// What Argo CD says of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracked {
    /// Nothing.
    Unlisted,
    /// Its commit has it.
    Wanted,
    /// It stands in the cluster, and its commit has it no longer.
    Extraneous,
}

/// The live object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// True if it is a user's namespace of ours, or in one.
    pub ours: bool,
    /// True if it carries the tombstone.
    pub annotated: bool,
    /// Since when it is being removed, and what holds that up.
    pub terminating: Option<(Timestamp, String)>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Mark it with the tombstone, then decide again.
    Annotate,
    /// Remove it.
    Delete,
    /// Leave it for the next pass.
    Wait(Why),
    /// It is gone and does not come again.
    Gone,
}

/// Why something waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "why", content = "detail", rename_all = "snake_case")]
pub enum Why {
    /// The registry has no tombstone.
    NoTombstone,
    /// The registry has both a tombstone and an intent.
    StillWanted,
    /// Git still has it.
    InGit,
    /// Its shard has no Application.
    NoApplication,
    /// Its shard is not synced.
    NotSynced(String),
    /// Argo CD's commit still has it, or is older than the one that removed it.
    Behind,
    /// Argo CD does not track it, and whether its commit is the newest cannot be told.
    NotTracked,
    /// It is not in the cluster; a sync under way may still bring it.
    MayStillCome,
    /// Other objects go first.
    Leftovers(Vec<String>),
    /// Pods use the volume.
    InUse(Vec<String>),
    /// It is no namespace of ours, or in none.
    NotOurs,
    /// The budget is spent.
    Budget,
    /// It is being removed.
    Terminating {
        /// Since when.
        since: Timestamp,
        /// What holds it up.
        held_by: String,
    },
    /// It changed while it was being decided on.
    Changed,
    /// The cluster refused or did not answer.
    Refused(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTombstone => f.write_str("the registry has no tombstone of it"),
            Self::StillWanted => f.write_str(
                "the registry has a tombstone and still wants it; run `coditect verify` and look at its audit",
            ),
            Self::InGit => f.write_str("Git still has it: the renderer's commit is on its way, or waits for its budget"),
            Self::NoApplication => f.write_str("its shard has no Application in Argo CD"),
            Self::NotSynced(why) => write!(f, "its shard is not synced: {why}"),
            Self::Behind => f.write_str("Argo CD has not yet seen the commit that removed it"),
            Self::NotTracked => f.write_str(
                "Argo CD does not track it and its commit is not the newest; give --repository to prove what Git says",
            ),
            Self::MayStillCome => f.write_str("it is not in the cluster, but a sync may still bring it"),
            Self::Leftovers(objects) => write!(f, "{} must go first", objects.join(", ")),
            Self::InUse(pods) => write!(f, "the volume is used by {}", pods.join(", ")),
            Self::NotOurs => f.write_str("it is not labelled as ours; nothing is removed that is not"),
            Self::Budget => f.write_str("the budget of deletions is spent; the next passes go on"),
            Self::Terminating { since, held_by } => write!(f, "is being removed since {since}: {held_by}"),
            Self::Changed => f.write_str("it changed meanwhile"),
            Self::Refused(why) => write!(f, "the cluster refused: {why}"),
        }
    }
}

/// Decides. Removes nothing without a tombstone, absence from Git as far as Git can be asked, and a shard that is
/// synced at or after the commit that removed it.
#[must_use]
pub fn decide(evidence: &Evidence) -> Decision {
    let Some(tombstone) = &evidence.tombstone else {
        return Decision::Wait(Why::NoTombstone);
    };
    if evidence.wanted {
        return Decision::Wait(Why::StillWanted);
    }
    if let Some((since, held_by)) = evidence
        .live
        .as_ref()
        .and_then(|live| live.terminating.clone())
    {
        return Decision::Wait(Why::Terminating { since, held_by });
    }
    if evidence.git == Git::Present {
        return Decision::Wait(Why::InGit);
    }
    let (compared_at, newest) = match &evidence.shard {
        Shard::Missing => return Decision::Wait(Why::NoApplication),
        Shard::Unsettled(why) => return Decision::Wait(Why::NotSynced(why.clone())),
        Shard::Synced {
            compared_at,
            newest,
        } => (compared_at, *newest),
    };
    let proven = evidence.git == Git::Absent && newest;
    let Some(live) = &evidence.live else {
        let old = compared_at.is_some_and(|at| at.duration_since(tombstone.at) > MAY_STILL_COME);
        return match evidence.tracked {
            Tracked::Unlisted if proven || old => Decision::Gone,
            Tracked::Unlisted => Decision::Wait(Why::MayStillCome),
            // Its word is older than the object's end.
            Tracked::Wanted | Tracked::Extraneous => Decision::Wait(Why::Behind),
        };
    };
    match evidence.tracked {
        Tracked::Wanted => return Decision::Wait(Why::Behind),
        Tracked::Unlisted if !proven => return Decision::Wait(Why::NotTracked),
        Tracked::Unlisted | Tracked::Extraneous => {}
    }
    if !live.ours {
        return Decision::Wait(Why::NotOurs);
    }
    if !evidence.leftovers.is_empty() {
        return Decision::Wait(Why::Leftovers(evidence.leftovers.clone()));
    }
    if !evidence.in_use.is_empty() {
        return Decision::Wait(Why::InUse(evidence.in_use.clone()));
    }
    if !evidence.budget {
        return Decision::Wait(Why::Budget);
    }
    if live.annotated {
        Decision::Delete
    } else {
        Decision::Annotate
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
    }

    /// Everything in order: the object may go.
    fn ready() -> Evidence {
        Evidence {
            tombstone: Some(Tombstone {
                at: at(0),
                requested: true,
            }),
            wanted: false,
            git: Git::Absent,
            shard: Shard::Synced {
                compared_at: Some(at(1)),
                newest: true,
            },
            tracked: Tracked::Extraneous,
            leftovers: Vec::new(),
            in_use: Vec::new(),
            live: Some(Live {
                ours: true,
                annotated: true,
                terminating: None,
            }),
            budget: true,
        }
    }

    fn with(change: impl FnOnce(&mut Evidence)) -> Decision {
        let mut evidence = ready();
        change(&mut evidence);
        decide(&evidence)
    }

    #[test]
    fn in_order_it_is_marked_and_then_removed() {
        assert_eq!(decide(&ready()), Decision::Delete);
        let unmarked = with(|e| e.live.as_mut().unwrap().annotated = false);
        assert_eq!(unmarked, Decision::Annotate);
    }

    /// What is taken away from the proof, and what is said then.
    type Case = (fn(&mut Evidence), Why);

    #[test]
    fn each_missing_proof_has_its_own_word() {
        let table: [Case; 12] = [
            (|e| e.tombstone = None, Why::NoTombstone),
            (|e| e.wanted = true, Why::StillWanted),
            (|e| e.git = Git::Present, Why::InGit),
            (|e| e.shard = Shard::Missing, Why::NoApplication),
            (
                |e| e.shard = Shard::Unsettled("OutOfSync".into()),
                Why::NotSynced("OutOfSync".into()),
            ),
            (|e| e.tracked = Tracked::Wanted, Why::Behind),
            (
                |e| {
                    e.tracked = Tracked::Unlisted;
                    e.git = Git::Unknown;
                },
                Why::NotTracked,
            ),
            (
                |e| {
                    e.tracked = Tracked::Unlisted;
                    e.shard = Shard::Synced {
                        compared_at: Some(at(60)),
                        newest: false,
                    };
                },
                Why::NotTracked,
            ),
            (|e| e.live.as_mut().unwrap().ours = false, Why::NotOurs),
            (
                |e| e.leftovers = vec!["StatefulSet/w".into()],
                Why::Leftovers(vec!["StatefulSet/w".into()]),
            ),
            (
                |e| e.in_use = vec!["pod".into()],
                Why::InUse(vec!["pod".into()]),
            ),
            (|e| e.budget = false, Why::Budget),
        ];
        for (change, why) in table {
            assert_eq!(with(change), Decision::Wait(why));
        }
    }

    #[test]
    fn argo_cds_own_word_is_enough_where_nobody_can_be_asked_of_git() {
        assert_eq!(with(|e| e.git = Git::Unknown), Decision::Delete);
    }

    #[test]
    fn untracked_goes_only_on_gits_own_word() {
        assert_eq!(with(|e| e.tracked = Tracked::Unlisted), Decision::Delete);
    }

    #[test]
    fn what_is_being_removed_says_what_holds_it_up() {
        let held = (at(1), "finalizers remain".to_owned());
        assert_eq!(
            with(|e| e.live.as_mut().unwrap().terminating = Some(held)),
            Decision::Wait(Why::Terminating {
                since: at(1),
                held_by: "finalizers remain".into()
            })
        );
    }

    #[test]
    fn gone_only_if_it_does_not_come_again() {
        let gone = |change: fn(&mut Evidence)| {
            with(|e| {
                e.live = None;
                e.tracked = Tracked::Unlisted;
                change(e);
            })
        };
        assert_eq!(gone(|_| {}), Decision::Gone);
        assert_eq!(
            gone(|e| e.tracked = Tracked::Wanted),
            Decision::Wait(Why::Behind)
        );
        assert_eq!(
            gone(|e| e.git = Git::Present),
            Decision::Wait(Why::InGit),
            "the file is there: Argo CD may make it yet"
        );
        assert_eq!(
            gone(|e| e.git = Git::Unknown),
            Decision::Wait(Why::MayStillCome)
        );
        assert_eq!(
            gone(|e| {
                e.git = Git::Unknown;
                e.shard = Shard::Synced {
                    compared_at: Some(at(11)),
                    newest: false,
                };
            }),
            Decision::Gone
        );
    }

    fn any_evidence() -> impl Strategy<Value = Evidence> {
        let tombstone = proptest::option::of((0_i64..60, any::<bool>()));
        let git = prop_oneof![Just(Git::Unknown), Just(Git::Present), Just(Git::Absent)];
        let shard = prop_oneof![
            Just(Shard::Missing),
            Just(Shard::Unsettled("x".to_owned())),
            (proptest::option::of(0_i64..120), any::<bool>()).prop_map(|(compared, newest)| {
                Shard::Synced {
                    compared_at: compared.map(at),
                    newest,
                }
            }),
        ];
        let tracked = prop_oneof![
            Just(Tracked::Unlisted),
            Just(Tracked::Wanted),
            Just(Tracked::Extraneous)
        ];
        let live = proptest::option::of((any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
            |(ours, annotated, ending)| Live {
                ours,
                annotated,
                terminating: ending.then(|| (at(0), "x".to_owned())),
            },
        ));
        let names = || proptest::collection::vec(Just("x".to_owned()), 0..2);
        (
            (tombstone, any::<bool>(), git, shard, tracked),
            (names(), names(), live, any::<bool>()),
        )
            .prop_map(
                |((tombstone, wanted, git, shard, tracked), (leftovers, in_use, live, budget))| {
                    Evidence {
                        tombstone: tombstone.map(|(minute, requested)| Tombstone {
                            at: at(minute),
                            requested,
                        }),
                        wanted,
                        git,
                        shard,
                        tracked,
                        leftovers,
                        in_use,
                        live,
                        budget,
                    }
                },
            )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn nothing_goes_without_tombstone_absence_and_sync(evidence in any_evidence()) {
            match decide(&evidence) {
                decision @ (Decision::Delete | Decision::Annotate) => {
                    let live = evidence.live.as_ref().unwrap();
                    prop_assert!(evidence.tombstone.is_some() && !evidence.wanted);
                    prop_assert!(evidence.git != Git::Present && evidence.tracked != Tracked::Wanted);
                    let synced = matches!(evidence.shard, Shard::Synced { .. });
                    let proven = matches!(evidence.shard, Shard::Synced { newest: true, .. })
                        && evidence.git == Git::Absent;
                    prop_assert!(synced && (proven || evidence.tracked == Tracked::Extraneous));
                    prop_assert!(evidence.leftovers.is_empty() && evidence.in_use.is_empty());
                    prop_assert!(evidence.budget && live.ours && live.terminating.is_none());
                    prop_assert_eq!(decision == Decision::Delete, live.annotated);
                }
                Decision::Gone => {
                    prop_assert!(evidence.live.is_none() && evidence.tombstone.is_some());
                    prop_assert!(evidence.git != Git::Present);
                    let synced = matches!(evidence.shard, Shard::Synced { .. });
                    prop_assert!(synced);
                }
                Decision::Wait(_) => {}
            }
        }
    }
}
