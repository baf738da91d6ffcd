//! Resources and their bounds as Kubernetes quantities.

use serde::Serialize;

use crate::resolve::Shape;

/// Resources of a container: thousandths of a core and MiB.
#[derive(Clone, Copy)]
struct Resources {
    cpu: u64,
    cpu_request: u64,
    memory: u64,
    ephemeral_storage: u64,
}

impl Resources {
    fn of_pod(shape: &Shape<'_>) -> Self {
        let pod = shape.limits.pod;
        Self {
            cpu: pod.cpu_millis.into(),
            cpu_request: pod.cpu_request_millis.into(),
            memory: pod.memory_mib.into(),
            ephemeral_storage: pod.ephemeral_storage_mib.into(),
        }
    }

    fn of_gateway(shape: &Shape<'_>) -> Self {
        let gateway = shape.gateway;
        Self {
            cpu: gateway.cpu_millis.into(),
            cpu_request: gateway.cpu_request_millis.into(),
            memory: gateway.memory_mib.into(),
            ephemeral_storage: gateway.ephemeral_storage_mib.into(),
        }
    }

    fn combine(self, other: Self, with: fn(u64, u64) -> u64) -> Self {
        Self {
            cpu: with(self.cpu, other.cpu),
            cpu_request: with(self.cpu_request, other.cpu_request),
            memory: with(self.memory, other.memory),
            ephemeral_storage: with(self.ephemeral_storage, other.ephemeral_storage),
        }
    }
}

/// Resources of a container as templates print them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Size {
    cpu: String,
    cpu_request: String,
    memory: String,
    ephemeral_storage: String,
}

impl From<Resources> for Size {
    fn from(resources: Resources) -> Self {
        Self {
            cpu: cpu(resources.cpu),
            cpu_request: cpu(resources.cpu_request),
            memory: mebibytes(resources.memory),
            ephemeral_storage: mebibytes(resources.ephemeral_storage),
        }
    }
}

impl Size {
    /// The IDE's container.
    pub(super) fn of_pod(shape: &Shape<'_>) -> Self {
        Resources::of_pod(shape).into()
    }

    /// The gateway's container.
    pub(super) fn of_gateway(shape: &Shape<'_>) -> Self {
        Resources::of_gateway(shape).into()
    }

    /// What the larger of the two containers has of each resource.
    pub(super) fn largest(shape: &Shape<'_>) -> Self {
        Resources::of_pod(shape)
            .combine(Resources::of_gateway(shape), u64::max)
            .into()
    }
}

/// Bounds of a user's namespace.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Quota {
    pods: String,
    cpu: String,
    cpu_request: String,
    memory: String,
    ephemeral_storage: String,
    storage: String,
    volumes: String,
    largest_volume: String,
    services: String,
}

impl Quota {
    /// As many pods as the plan has workspaces, each with its gateway: a native sidecar's resources add
    /// to the pod's (Kubernetes, "Sidecar containers", resource sharing). A user that is held, or whose
    /// cell is, gets no pod. Volumes that were provisioned larger or in greater number stay within.
    ///
    /// Volumes, their storage and services are bounded at twice what the plan has. What leaves Git stays in
    /// the cluster for a while: a volume until the reaper has been there, a service until the quota has
    /// counted again. Were the bound the plan's own, a person who replaces a workspace would be refused the
    /// new one's volume, and rendering cannot know what still awaits the reaper. Nobody gets more than the
    /// plan by it: only Git makes volumes and services, and Git has the plan's.
    pub(super) fn of(shape: &Shape<'_>) -> Self {
        let pod = Resources::of_pod(shape).combine(Resources::of_gateway(shape), |a, b| a + b);
        let count = u64::from(shape.limits.workspaces);
        let held = shape.cell.hold || !shape.standing.is_active();
        let volumes = (2 * count.max(shape.workspaces.len() as u64)).to_string();
        let sizes = || {
            shape
                .workspaces
                .iter()
                .map(|workspace| u64::from(workspace.storage_gib))
        };
        let planned = u64::from(shape.limits.storage_gib);
        Self {
            pods: if held { 0 } else { count }.to_string(),
            cpu: cpu(count * pod.cpu),
            cpu_request: cpu(count * pod.cpu_request),
            memory: mebibytes(count * pod.memory),
            ephemeral_storage: mebibytes(count * pod.ephemeral_storage),
            storage: gibibytes(2 * sizes().sum::<u64>().max(count * planned)),
            services: volumes.clone(),
            volumes,
            largest_volume: gibibytes(sizes().fold(planned, u64::max)),
        }
    }
}

fn cpu(millis: u64) -> String {
    if millis.is_multiple_of(1_000) {
        (millis / 1_000).to_string()
    } else {
        format!("{millis}m")
    }
}

fn mebibytes(mib: u64) -> String {
    if mib.is_multiple_of(1_024) && mib > 0 {
        gibibytes(mib / 1_024)
    } else {
        format!("{mib}Mi")
    }
}

/// A volume's size.
pub(super) fn gibibytes(gib: u64) -> String {
    format!("{gib}Gi")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The API server writes quantities in their canonical form; another spelling of the same value
    /// would look like a difference to whoever compares.
    #[test]
    fn quantities_are_canonical() {
        for (text, expected) in [
            (cpu(250), "250m"),
            (cpu(2_000), "2"),
            (cpu(1_500), "1500m"),
            (mebibytes(512), "512Mi"),
            (mebibytes(4_096), "4Gi"),
            (mebibytes(0), "0Mi"),
            (gibibytes(100), "100Gi"),
        ] {
            assert_eq!(text, expected);
        }
    }
}
