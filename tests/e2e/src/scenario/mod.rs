//! The scenarios, one file each. Those that share the world stand together, so that it is started once.

mod activity;
mod admission;
mod cell_lost;
mod cluster;
mod drift;
mod erasure;
mod faults;
mod life;
mod looks;
mod namespaces;
mod observer;
mod poison;
mod policy;
mod reaper;
mod reasons;
mod refusal;
mod registry_lost;
mod rollout;
mod scale;
mod shards;
mod sign_up;

use crate::Scenario;

/// All of them, in the order in which they are run.
pub(crate) const SCENARIOS: &[Scenario] = &[
    cluster::SCENARIO,
    admission::SCENARIO,
    reaper::SCENARIO,
    sign_up::SCENARIO,
    observer::SCENARIO,
    life::SCENARIO,
    erasure::SCENARIO,
    activity::SCENARIO,
    drift::SCENARIO,
    namespaces::SCENARIO,
    reasons::SCENARIO,
    poison::SCENARIO,
    faults::SCENARIO,
    rollout::SCENARIO,
    cell_lost::SCENARIO,
    registry_lost::SCENARIO,
    scale::one_change::SCENARIO,
    scale::wake_storm::SCENARIO,
    scale::full_shard::SCENARIO,
    scale::neighbours::SCENARIO,
    scale::SCENARIO,
];
