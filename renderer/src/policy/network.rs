//! What a workspace may connect to, and the facts of a cell's network that bound it.

use std::collections::BTreeMap;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format;

/// Where workspaces may connect to, besides DNS and the platform's API.
///
/// Kubernetes network policies can only allow: a denied port is one that no allowed range holds, a
/// denied address one that every allowed block excepts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Egress {
    /// Whether the internet at large is reachable.
    pub internet: bool,
    /// TCP ports that stay closed, such as those of mail.
    #[serde(default)]
    pub denied_ports: Vec<u16>,
    /// Address ranges that stay closed besides the cell's own, such as private networks.
    #[serde(default)]
    #[schemars(with = "Vec<format::Cidr>")]
    pub denied_cidrs: Vec<IpNet>,
    /// Ranges that are open whatever `internet` and `deniedCidrs` say.
    #[serde(default)]
    pub allowed: Vec<EgressRule>,
}

/// Where one tenant's workspaces may connect to. What stays closed is inherited unless it is named here:
/// whoever opens one database does not open mail as well.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EgressOverride {
    /// Whether the internet at large is reachable.
    internet: bool,
    /// TCP ports that stay closed; the default ones if absent, none if empty.
    #[serde(default)]
    denied_ports: Option<Vec<u16>>,
    /// Address ranges that stay closed besides the cell's own; the default ones if absent, none if empty.
    #[serde(default)]
    #[schemars(with = "Option<Vec<format::Cidr>>")]
    denied_cidrs: Option<Vec<IpNet>>,
    /// Ranges that are open whatever `internet` and `deniedCidrs` say; none if absent, whatever the default.
    #[serde(default)]
    allowed: Vec<EgressRule>,
}

impl EgressOverride {
    /// What applies to the tenant where `defaults` applies to everyone else.
    pub(crate) fn over(&self, defaults: &Egress) -> Egress {
        let (ports, cidrs) = (&self.denied_ports, &self.denied_cidrs);
        Egress {
            internet: self.internet,
            denied_ports: ports.as_ref().unwrap_or(&defaults.denied_ports).clone(),
            denied_cidrs: cidrs.as_ref().unwrap_or(&defaults.denied_cidrs).clone(),
            allowed: self.allowed.clone(),
        }
    }
}

/// A range that is open on some ports.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EgressRule {
    /// The range.
    #[schemars(with = "format::Cidr")]
    pub cidr: IpNet,
    /// The TCP ports; none means all but the denied ones.
    #[serde(default)]
    pub ports: Vec<u16>,
}

/// The addresses of a cell that its workspaces must or must not reach.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Network {
    /// Addresses of pods and services.
    #[schemars(with = "Vec<format::Cidr>", length(min = 1))]
    pub cluster_cidrs: Vec<IpNet>,
    /// Addresses of nodes.
    #[serde(default)]
    #[schemars(with = "Vec<format::Cidr>")]
    pub node_cidrs: Vec<IpNet>,
    /// Addresses of the Kubernetes API server.
    #[serde(default)]
    #[schemars(with = "Vec<format::Cidr>")]
    pub api_server_cidrs: Vec<IpNet>,
    /// Port of the Kubernetes API server.
    #[serde(default = "https")]
    pub api_server_port: u16,
    /// Addresses of the cloud's metadata service, which gives credentials of the node to whoever asks.
    #[schemars(with = "Vec<format::Cidr>", length(min = 1))]
    pub metadata_cidrs: Vec<IpNet>,
    /// The pods that answer DNS.
    pub dns: PodSelector,
    /// The platform's API, as seen from a workspace.
    pub api: Api,
    /// The pods that may connect to a workspace: the ingress controller or Gateway, and the observer.
    #[schemars(length(min = 1))]
    pub route_from: Vec<PodSelector>,
}

const fn https() -> u16 {
    443
}

/// Pods, by the labels of their namespace and their own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodSelector {
    /// Labels of the namespace.
    #[schemars(with = "BTreeMap<String, format::LabelValue>", extend("propertyNames" = {"format": "label-key"}), length(min = 1))]
    pub namespace_labels: BTreeMap<String, String>,
    /// Labels of the pods; none means all of the namespace's.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, format::LabelValue>", extend("propertyNames" = {"format": "label-key"}))]
    pub pod_labels: BTreeMap<String, String>,
}

/// How a workspace's gateway reaches the platform's API.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Api {
    /// Where it answers, such as `https://api.example.com`.
    #[schemars(with = "format::Address")]
    pub address: String,
    /// Its address ranges, when it stands outside the cluster.
    #[serde(default)]
    #[schemars(with = "Vec<format::Cidr>")]
    pub cidrs: Vec<IpNet>,
    /// Its pods, when it stands inside the cluster.
    #[serde(default)]
    pub pods: Option<PodSelector>,
    /// Its port on those addresses or pods.
    #[serde(default = "https")]
    pub port: u16,
}

/// TCP ports from `from` to `to`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PortRange {
    pub(crate) from: u16,
    pub(crate) to: u16,
}

/// All ports but the denied ones, as ranges in ascending order.
pub(crate) fn ports_without(denied: &[u16]) -> Vec<PortRange> {
    let mut denied: Vec<u16> = denied.iter().copied().filter(|port| *port != 0).collect();
    denied.sort_unstable();
    denied.dedup();
    let mut ranges = Vec::new();
    let mut from: u32 = 1;
    for port in denied.into_iter().map(u32::from).chain([65_536]) {
        if port > from {
            ranges.push(PortRange {
                from: from as u16,
                to: (port - 1) as u16,
            });
        }
        from = port + 1;
    }
    ranges
}

/// A block and the ranges inside it that stay closed, as a NetworkPolicy's `ipBlock` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Block {
    pub(crate) cidr: String,
    pub(crate) except: Vec<String>,
}

/// The block without the closed ranges; `None` if a closed range covers all of it. Kubernetes wants
/// every exception strictly inside its block.
pub(crate) fn block(cidr: IpNet, closed: &[IpNet]) -> Option<Block> {
    if closed.iter().any(|closed| closed.contains(&cidr)) {
        return None;
    }
    let inside = closed
        .iter()
        .filter(|closed| cidr.contains(*closed))
        .copied()
        .collect();
    Some(Block {
        cidr: cidr.to_string(),
        except: IpNet::aggregate(&inside)
            .iter()
            .map(ToString::to_string)
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denied_ports_are_in_no_range() {
        let ranges = ports_without(&[587, 25, 465, 25]);
        let plain: Vec<(u16, u16)> = ranges.iter().map(|range| (range.from, range.to)).collect();
        assert_eq!(plain, [(1, 24), (26, 464), (466, 586), (588, 65535)]);
        let all = |ranges: &[PortRange]| {
            ranges
                .iter()
                .map(|range| u32::from(range.to - range.from) + 1)
                .sum::<u32>()
        };
        assert_eq!(all(&ports_without(&[])), 65_535);
        assert_eq!(all(&ports_without(&[0, 1, 65_535])), 65_533);
    }

    #[test]
    fn exceptions_lie_strictly_inside_their_block() {
        let nets = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| text.parse().unwrap())
                .collect::<Vec<IpNet>>()
        };
        let closed = nets(&[
            "10.0.0.0/8",
            "10.1.0.0/16",
            "169.254.169.254/32",
            "fd00::/8",
        ]);
        let all = block("0.0.0.0/0".parse().unwrap(), &closed).unwrap();
        assert_eq!(all.except, ["10.0.0.0/8", "169.254.169.254/32"]);
        assert_eq!(
            block("203.0.113.0/24".parse().unwrap(), &closed)
                .unwrap()
                .except,
            Vec::<String>::new()
        );
        assert_eq!(block("10.2.0.0/16".parse().unwrap(), &closed), None);
        assert_eq!(block("10.0.0.0/8".parse().unwrap(), &closed), None);
    }
}
