use clap::Args;
use coditect_core::{CellName, Error, Result};
use coditect_registry::record::CellState;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::{cli::Output, data::Data, exit::Exit, output};

/// How a cell fares, as its observer or `dev` says: pods, scales that are still to be set, whether it is held.
///
/// A cell that comes back from a loss is held by its policy (`hold: true`), so that nobody starts before every
/// scale is what the registry says; this tells when the hold may end.
///
/// Exit status 3: scales are still to be set, or nobody sees the cluster.
#[derive(Debug, Args)]
pub(crate) struct Cell {
    #[command(flatten)]
    data: Data,

    /// The cell.
    #[arg(long, value_name = "CELL", default_value = "local")]
    cell: CellName,
}

/// How old the word of an observer that lives may be: it repeats itself every ten seconds.
const FRESH: SignedDuration = SignedDuration::from_secs(30);

#[derive(Serialize)]
struct Shown<'a> {
    cell: &'a CellName,
    #[serde(flatten)]
    state: CellState,
    verdict: &'static str,
}

impl Cell {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        let registry = self.data.open().await?;
        let found = registry.view().await?.cell_state(&self.cell).await?;
        let Some(state) = found else {
            return Err(Error::not_found(format!(
                "no observer has ever told of cell {}; start one with `observer --cluster`",
                self.cell
            )));
        };
        let (verdict, exit) = verdict(&state, Timestamp::now());
        match output {
            Output::Json => output::json(&Shown {
                cell: &self.cell,
                state,
                verdict,
            })?,
            Output::Text => print(&self.cell, &state, verdict),
        }
        Ok(exit)
    }
}

/// What the state comes to at `now`.
fn verdict(state: &CellState, now: Timestamp) -> (&'static str, Exit) {
    if now.duration_since(state.at) > FRESH {
        return ("unknown: the observer is silent", Exit::Differs);
    }
    match (state.connected, state.scales_wrong, state.held) {
        (false, _, _) => (
            "unknown: the observer does not see the cluster",
            Exit::Differs,
        ),
        (true, 0, true) => ("held; every scale is set: the hold may end", Exit::Done),
        (true, 0, false) => ("in service", Exit::Done),
        (true, _, true) => ("held; scales are still to be set", Exit::Differs),
        (true, _, false) => ("in service; scales are still to be set", Exit::Differs),
    }
}

fn print(cell: &CellName, state: &CellState, verdict: &str) {
    output::table(
        [
            "cell",
            "workspaces",
            "ready",
            "scales to set",
            "seen",
            "verdict",
        ],
        [[
            cell.to_string(),
            state.workspaces.to_string(),
            state.ready.to_string(),
            state.scales_wrong.to_string(),
            format!("{:.0}", state.at),
            verdict.to_owned(),
        ]],
    );
    if let Some(why) = &state.argocd_unreachable {
        output::line(&format!("! Argo CD is not seen: {why}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn state(connected: bool, held: bool, scales_wrong: u32) -> CellState {
        CellState {
            held,
            scales_wrong,
            workspaces: 12,
            ready: 0,
            connected,
            argocd_unreachable: None,
            at: at(100),
        }
    }

    /// The hold of a cell that was lost ends on this word: it must not be the word of before the loss.
    #[test]
    fn only_a_fresh_word_of_a_connected_observer_ends_a_hold() {
        let end = |state: &CellState, now: i64| verdict(state, at(now)).1 == Exit::Done;
        assert!(end(&state(true, true, 0), 105));
        assert!(!end(&state(true, true, 1), 105));
        assert!(!end(&state(false, true, 0), 105));
        assert!(!end(&state(true, true, 0), 200));
    }
}
