//! What the system itself does with power: suspend what nobody uses, and count how long what runs has run.

use async_trait::async_trait;
use coditect_core::{Activity, CellName, Power, WorkspaceId};
use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};

use super::{observer::place_in, workspace::set_power};
use crate::{
    keys::{self, WorkspacePart},
    record::{Action, Metering, PowerCause, PowerState, WorkspacePlace},
    registry::Operation,
    tx::{Abort, Tx},
};

/// Use that is at most this much older than a suspension for want of use may have been overlooked when that
/// was decided: it is then not carried out, and decided anew.
const OVERLOOKED: SignedDuration = SignedDuration::from_secs(5);

/// Switches a workspace off unless its power, or its use, has changed since that was decided.
pub struct Suspend {
    /// Which cell; a workspace of another is unknown.
    pub cell: CellName,
    /// Which workspace.
    pub workspace: WorkspaceId,
    /// [`PowerState::since`] as it was when this was decided.
    pub seen: Timestamp,
    /// Why.
    pub cause: PowerCause,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for Suspend {
    const NAME: &'static str = "suspend";
    // Done again, it finds itself done.
    const IDEMPOTENT: bool = true;
    /// False if nothing was done: the workspace is gone, somebody changed its power or used it meanwhile.
    type Output = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool, Abort> {
        let Some(place) = place_in(tx, &self.cell, self.workspace).await? else {
            return Ok(false);
        };
        let key = keys::workspace(
            place.tenant,
            place.user,
            self.workspace,
            WorkspacePart::Power,
        );
        let Some(have) = tx.get::<PowerState>(&key).await? else {
            return Ok(false);
        };
        let wanted = PowerState {
            power: Power::Off,
            since: self.at,
            cause: self.cause,
        };
        if have == wanted {
            return Ok(true);
        }
        if have.power == Power::Off || have.since != self.seen || self.used(tx).await? {
            return Ok(false);
        }
        set_power(tx, &place, self.workspace, wanted).await?;
        let action = Action::WorkspaceSuspended {
            workspace: self.workspace,
            cause: self.cause,
        };
        tx.audit(place.tenant, self.at, None, action)?;
        Ok(true)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl Suspend {
    /// True if the workspace was used so recently that the decision cannot have known.
    async fn used(&self, tx: &mut Tx) -> Result<bool, Abort> {
        let activity = tx
            .get::<Activity>(&keys::activity(&self.cell, self.workspace))
            .await?;
        let Some(Activity {
            input_at,
            output_at,
            ..
        }) = activity
        else {
            return Ok(false);
        };
        let counts = match self.cause {
            PowerCause::Idle => input_at.max(output_at),
            PowerCause::LongestSession => input_at,
            _ => None,
        };
        Ok(counts.is_some_and(|used| self.at.duration_since(used) <= OVERLOOKED))
    }
}

/// The longest time between two sightings that counts as having run: five times the minute after which an observer
/// looks again. A pod that could not be placed for hours, or a cluster that nobody saw, is not charged for them.
const LONGEST_GAP: SignedDuration = SignedDuration::from_mins(5);

/// Counts the running time of workspaces into their users' months (by UTC). Sent for those that are seen to
/// run, every minute or so: the first time after power on only notes the start, each later one adds what has
/// passed since, and what is left is added when the power goes off. What lies between two sightings that are more
/// than five minutes apart is not counted: nobody saw it run. So no second is counted twice, in whatever order and
/// however often this arrives.
pub struct Meter {
    /// Which cell; workspaces of another are left alone.
    pub cell: CellName,
    /// Those that run; at most a few hundred, so that it fits one transaction. Those that are off or gone are
    /// skipped.
    pub workspaces: Vec<WorkspaceId>,
    /// Until when they have run; not after [`Meter::at`].
    pub until: Timestamp,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for Meter {
    const NAME: &'static str = "meter";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let until = self.until.min(self.at);
        for workspace in &self.workspaces {
            let Some(place) = place_in(tx, &self.cell, *workspace).await? else {
                continue;
            };
            let part = |part| keys::workspace(place.tenant, place.user, *workspace, part);
            let Some(power) = tx.get::<PowerState>(&part(WorkspacePart::Power)).await? else {
                continue;
            };
            // What was seen before the newest start belongs to a run that is over.
            if power.power == Power::Off || until < power.since {
                continue;
            }
            let key = part(WorkspacePart::Metering);
            match tx.get::<Metering>(&key).await? {
                Some(metered) => {
                    let counted = if until.duration_since(metered.until) > LONGEST_GAP {
                        until
                    } else {
                        count(tx, &place, metered.until, until)
                    };
                    if counted != metered.until {
                        tx.put(&key, &Metering { until: counted })?;
                    }
                }
                None => tx.put(&key, &Metering { until })?,
            }
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Counts what is left of a run that ends at `at`, if it was seen shortly before.
pub(super) async fn end_run(
    tx: &mut Tx,
    place: &WorkspacePlace,
    workspace: WorkspaceId,
    at: Timestamp,
) -> Result<(), Abort> {
    let key = keys::workspace(place.tenant, place.user, workspace, WorkspacePart::Metering);
    if let Some(metered) = tx.get::<Metering>(&key).await? {
        if at.duration_since(metered.until) <= LONGEST_GAP {
            count(tx, place, metered.until, at);
        }
        tx.clear(&key);
    }
    Ok(())
}

/// Adds the whole seconds from `from` to `until` to the months they lie in, and gives the end of what was
/// added; the rest of a second waits for the next time. Adds nothing if `until` is not later.
fn count(tx: &mut Tx, place: &WorkspacePlace, from: Timestamp, until: Timestamp) -> Timestamp {
    let mut left = until.duration_since(from).as_secs();
    let mut begin = from;
    while left > 0 {
        // A second that begins in one month and ends in the next belongs to the first.
        let in_month = seconds_left_in_month(begin).min(left);
        let month = month_of(begin);
        tx.add(
            &keys::usage_seconds(place.tenant, place.user, &month),
            in_month,
        );
        begin += SignedDuration::from_secs(in_month);
        left -= in_month;
    }
    begin
}

/// The month of a point in time, `YYYY-MM` in UTC: how usage is kept.
#[must_use]
pub fn month_of(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string()
}

/// How many seconds begin from here on in this month; at least one.
fn seconds_left_in_month(at: Timestamp) -> i64 {
    let here = at.to_zoned(TimeZone::UTC);
    let next = here
        .first_of_month()
        .and_then(|first| first.start_of_day())
        .and_then(|first| first.checked_add(1.month()));
    match next {
        Ok(next) => {
            let left = next.timestamp().duration_since(at);
            left.as_secs() + i64::from(left.subsec_nanos() > 0)
        }
        // The last month that there is.
        Err(_) => i64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_those_of_utc_and_each_second_has_one() {
        for (at, month, left) in [
            ("2026-02-28T23:59:59Z", "2026-02", 1),
            ("2026-02-28T23:59:59.5Z", "2026-02", 1),
            ("2026-03-01T00:00:00Z", "2026-03", 31 * 86_400),
            ("2028-02-01T00:00:00.25Z", "2028-02", 29 * 86_400),
            ("2026-12-31T23:00:00Z", "2026-12", 3_600),
        ] {
            let at: Timestamp = at.parse().unwrap();
            assert_eq!(month_of(at), month);
            assert_eq!(seconds_left_in_month(at), left, "{at}");
        }
    }
}
