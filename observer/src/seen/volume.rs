//! A workspace's volume.

use k8s_openapi::{
    api::core::v1::PersistentVolumeClaim, apimachinery::pkg::api::resource::Quantity,
};

/// A workspace's PersistentVolumeClaim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeSeen {
    /// Tells it from another one of the same name.
    pub uid: String,
    /// True while no volume is bound to it.
    pub pending: bool,
    /// True if the volume that was bound to it is gone.
    pub lost: bool,
    /// What it asks for and what it has, while it grows.
    pub growing: Option<(String, String)>,
    /// Why it does not grow.
    pub refused: Option<String>,
}

impl VolumeSeen {
    /// What is kept of it.
    #[must_use]
    pub fn of(volume: &PersistentVolumeClaim) -> Self {
        let status = volume.status.as_ref();
        let phase = status
            .and_then(|status| status.phase.as_deref())
            .unwrap_or("Pending");
        let wanted = volume
            .spec
            .as_ref()
            .and_then(|spec| spec.resources.as_ref())
            .and_then(|resources| resources.requests.as_ref())
            .and_then(|requests| requests.get("storage"));
        let have = status
            .and_then(|status| status.capacity.as_ref())
            .and_then(|capacity| capacity.get("storage"));
        let refused = status
            .and_then(|status| status.conditions.as_ref())
            .into_iter()
            .flatten()
            .find(|condition| {
                matches!(
                    condition.type_.as_str(),
                    "ControllerResizeError" | "NodeResizeError"
                ) && condition.status == "True"
            })
            .map(|condition| condition.message.clone().unwrap_or_default());
        let growing = match (wanted, have) {
            (Some(wanted), Some(have))
                if phase == "Bound" && gibibytes(wanted) > gibibytes(have) =>
            {
                Some((wanted.0.clone(), have.0.clone()))
            }
            _ => None,
        };
        Self {
            uid: volume.metadata.uid.clone().unwrap_or_default(),
            pending: phase == "Pending",
            lost: phase == "Lost",
            refused: refused.filter(|_| growing.is_some()),
            growing,
        }
    }
}

/// A size in GiB, rounded up; 0 if it is written in a unit that no volume has. Sizes are ours (`10Gi`) or a
/// provisioner's (`10Gi`, `10737418240`).
fn gibibytes(quantity: &Quantity) -> u64 {
    const UNITS: [(&str, u64); 8] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
    ];
    let text = quantity.0.as_str();
    let (number, unit) = UNITS
        .iter()
        .find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, *unit)))
        .unwrap_or((text, 1));
    number
        .parse::<u64>()
        .unwrap_or_default()
        .saturating_mul(unit)
        .div_ceil(1 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_grows_while_it_has_less_than_it_asks_for() {
        let volume = |phase: &str, wanted: &str, have: &str| {
            VolumeSeen::of(
                &serde_json::from_value(serde_json::json!({
                    "metadata": {"uid": "1"},
                    "spec": {"resources": {"requests": {"storage": wanted}}},
                    "status": {"phase": phase, "capacity": {"storage": have}},
                }))
                .unwrap(),
            )
        };
        assert!(volume("Bound", "10Gi", "1Gi").growing.is_some());
        assert!(volume("Bound", "10Gi", "10737418240").growing.is_none());
        assert!(volume("Bound", "1Gi", "1Gi").growing.is_none());
        assert!(volume("Lost", "1Gi", "1Gi").lost);
        assert!(VolumeSeen::of(&PersistentVolumeClaim::default()).pending);
    }
}
