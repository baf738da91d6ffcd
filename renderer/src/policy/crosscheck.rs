//! What one file of a policy says about another, and about the template releases.

use coditect_core::PlanName;
use ipnet::IpNet;

use super::{
    Cell, Egress, PodSelector, RbacProfile, RouteKind,
    errors::{Collector, hint},
    files::{File, Parsed},
    node::Position,
};
use crate::{ENGINE, release::Releases};

pub(super) fn check(parsed: &Parsed, releases: &Releases, errors: &mut Collector) {
    plans(parsed, errors);
    rings(parsed, releases, errors);
    if let Some(file) = &parsed.defaults {
        plan(file, &file.value.plan, parsed, errors);
        profile(file, Some(file.value.rbac_profile), parsed, errors);
        let gateway = file.value.gateway;
        if gateway.cpu_request_millis > gateway.cpu_millis {
            errors.add(
                &file.path,
                file.at(&["gateway", "cpuRequestMillis"]),
                format!(
                    "`cpuRequestMillis` is above `cpuMillis`; write {} or less",
                    gateway.cpu_millis
                ),
            );
        }
        egress(
            &file.path,
            &file.value.egress,
            &|path| file.at(&[&["egress"], path].concat()),
            parsed,
            errors,
        );
    }
    orgs(parsed, errors);
    approval_rules(parsed, errors);
    for file in parsed.cells.values() {
        cell(file, errors);
    }
}

fn plans(parsed: &Parsed, errors: &mut Collector) {
    let files = parsed.plans.values().map(|file| (&file.path, &file.node));
    for (path, node) in files.chain(parsed.orgs.values().map(|file| (&file.path, &file.node))) {
        let size = |field: &str| {
            node.to_value()
                .pointer(&format!("/limits/pod/{field}"))
                .and_then(serde_json::Value::as_u64)
        };
        if let (Some(request), Some(limit)) = (size("cpuRequestMillis"), size("cpuMillis"))
            && request > limit
        {
            errors.add(
                path,
                node.position(&["limits", "pod", "cpuRequestMillis"]),
                format!("`cpuRequestMillis` is above `cpuMillis`; write {limit} or less"),
            );
        }
    }
}

fn rings(parsed: &Parsed, releases: &Releases, errors: &mut Collector) {
    let Some(file) = &parsed.rings else { return };
    let rings = &file.value.rings;
    for (index, ring) in rings.iter().enumerate() {
        let step = index.to_string();
        let at = |field| file.at(&["rings", &step, field]);
        if !releases.knows(&ring.release) {
            let known = releases.names().map(|name| name.as_str());
            errors.add(
                &file.path,
                at("release"),
                format!(
                    "there is no template release `{}`{}",
                    ring.release,
                    hint(ring.release.as_str(), known)
                ),
            );
        }
        if ring.engine != ENGINE {
            errors.add(
                &file.path,
                at("engine"),
                format!(
                    "engine {} is not this one; review the release with this engine and write {ENGINE}",
                    ring.engine
                ),
            );
        }
        if rings[..index]
            .iter()
            .any(|earlier| earlier.name == ring.name)
        {
            errors.add(
                &file.path,
                at("name"),
                format!("ring `{}` is there twice; rename one of the two", ring.name),
            );
        }
        if index > 0 && ring.below < rings[index - 1].below {
            let message = format!(
                "`below` is cumulative and must not fall: {} comes after {below}; write {below} or more",
                ring.below,
                below = rings[index - 1].below
            );
            errors.add(&file.path, at("below"), message);
        }
    }
    match rings.last() {
        Some(last) if last.below != 10_000 => {
            let at = file.at(&["rings", &(rings.len() - 1).to_string(), "below"]);
            errors.add(
                &file.path,
                at,
                format!(
                    "the last ring must end `below: 10000`, not {}: everyone needs a ring",
                    last.below
                ),
            );
        }
        None => errors.add(
            &file.path,
            file.at(&["rings"]),
            "`rings` is empty; everyone needs a ring",
        ),
        Some(_) => {}
    }
}

fn orgs(parsed: &Parsed, errors: &mut Collector) {
    for file in parsed.orgs.values() {
        let org = &file.value;
        if let Some(name) = &org.plan {
            plan(file, name, parsed, errors);
        }
        profile(file, org.rbac_profile, parsed, errors);
        if let (Some(name), Some(rings)) = (&org.ring, &parsed.rings)
            && !rings.value.rings.iter().any(|ring| ring.name == *name)
        {
            let known = rings.value.rings.iter().map(|ring| ring.name.as_str());
            errors.add(
                &file.path,
                file.at(&["ring"]),
                format!("there is no ring `{name}`{}", hint(name.as_str(), known)),
            );
        }
        if let Some(class) = &org.storage_class
            && parsed.knows_all_cells()
            && !parsed
                .cells
                .values()
                .any(|cell| cell.value.storage_class(class).is_some())
        {
            let known = parsed
                .cells
                .values()
                .flat_map(|cell| &cell.value.storage_classes)
                .map(|class| class.name.as_str());
            errors.add(
                &file.path,
                file.at(&["storageClass"]),
                format!(
                    "no cell has the storage class `{class}`{}",
                    hint(class.as_str(), known)
                ),
            );
        }
        if let (Some(rules), Some(defaults)) = (&org.egress, &parsed.defaults) {
            egress(
                &file.path,
                &rules.over(&defaults.value.egress),
                &|path| file.at(&[&["egress"], path].concat()),
                parsed,
                errors,
            );
        }
    }
}

/// A rule about what there is not would guard nothing, nor does an approval of nobody let anything pass.
fn approval_rules(parsed: &Parsed, errors: &mut Collector) {
    for file in parsed.approvals.values() {
        if file.value.users.is_empty() {
            let message = "`users` is empty; name at least one, or remove the file";
            errors.add(&file.path, file.at(&["users"]), message);
        }
    }
    let Some(file) = &parsed.approval_rules else {
        return;
    };
    let rules = &file.value;
    let mut unknown = |field: &str, index: usize, what: &str, name: &str, known: Vec<&str>| {
        let at = file.at(&[field, &index.to_string()]);
        let message = format!("{what} `{name}`{}", hint(name, known));
        errors.add(&file.path, at, message);
    };
    let plans = parsed.plan_names();
    for (index, plan) in rules.plans.iter().enumerate() {
        if !plans.contains(plan.as_str()) {
            let known = plans.iter().copied().collect();
            unknown("plans", index, "there is no plan", plan.as_str(), known);
        }
    }
    if !parsed.knows_all_cells() {
        return;
    }
    for (index, class) in rules.storage_classes.iter().enumerate() {
        let classes = || {
            let cells = parsed.cells.values();
            cells.flat_map(|cell| cell.value.storage_classes.iter().map(|class| &class.name))
        };
        if !classes().any(|known| known == class) {
            let known = classes().map(|known| known.as_str()).collect();
            let what = "no cell has the storage class";
            unknown("storageClasses", index, what, class.as_str(), known);
        }
    }
    for (index, cell) in rules.cells.iter().enumerate() {
        if !parsed.cells.contains_key(cell) {
            let known = parsed.cells.keys().map(|known| known.as_str()).collect();
            unknown("cells", index, "there is no cell", cell.as_str(), known);
        }
    }
}

fn plan<T>(file: &File<T>, name: &PlanName, parsed: &Parsed, errors: &mut Collector) {
    let known = parsed.plan_names();
    if !known.contains(name.as_str()) {
        errors.add(
            &file.path,
            file.at(&["plan"]),
            format!("there is no plan `{name}`{}", hint(name.as_str(), known)),
        );
    }
}

/// No file says which cell a tenant is in, so the profile must be safe in every one.
fn profile<T>(
    file: &File<T>,
    profile: Option<RbacProfile>,
    parsed: &Parsed,
    errors: &mut Collector,
) {
    if profile != Some(RbacProfile::Developer) {
        return;
    }
    for (name, cell) in &parsed.cells {
        if !cell.value.developer_profile_guarded {
            let message = format!(
                "`developer` is not safe in cell `{name}`: exec into a workspace's gateway container would \
                 expose the gateway's token; install an admission policy there that forbids it, then set \
                 `developerProfileGuarded: true` in {}",
                cell.path
            );
            errors.add(&file.path, file.at(&["rbacProfile"]), message);
        }
    }
}

/// No reviewed rule may open what would hand over a node or the cluster, nor a port that it denies.
fn egress(
    path: &str,
    egress: &Egress,
    at: &dyn Fn(&[&str]) -> Position,
    parsed: &Parsed,
    errors: &mut Collector,
) {
    for (index, rule) in egress.allowed.iter().enumerate() {
        let step = index.to_string();
        for (name, cell) in &parsed.cells {
            let network = &cell.value.network;
            let closed = [
                &network.metadata_cidrs,
                &network.node_cidrs,
                &network.api_server_cidrs,
                &network.cluster_cidrs,
            ];
            if let Some(range) = closed
                .into_iter()
                .flatten()
                .find(|range| range.contains(&rule.cidr))
            {
                errors.add(
                    path,
                    at(&["allowed", &step, "cidr"]),
                    format!(
                        "{} lies inside {range}, which cell `{name}` keeps closed; name a range outside of it",
                        rule.cidr
                    ),
                );
            }
        }
        if let Some((place, port)) = rule
            .ports
            .iter()
            .enumerate()
            .find(|(_, port)| **port == 0 || egress.denied_ports.contains(port))
        {
            let message = format!(
                "port {port} may not be opened here; list `deniedPorts` here without it if it is meant"
            );
            errors.add(
                path,
                at(&["allowed", &step, "ports", &place.to_string()]),
                message,
            );
        }
    }
}

fn cell(file: &File<Cell>, errors: &mut Collector) {
    let cell = &file.value;
    let mut add = |path: &[&str], message: String| errors.add(&file.path, file.at(path), message);
    match (cell.route.kind, &cell.route.class, &cell.route.gateway) {
        (RouteKind::Ingress, None, _) => add(
            &["route"],
            "an Ingress needs its `class`; name the IngressClass of the cluster".into(),
        ),
        (RouteKind::Ingress, _, Some(_)) => add(
            &["route", "gateway"],
            "`gateway` is for an HTTPRoute; leave it out, or write `kind: httpRoute`".into(),
        ),
        (RouteKind::HttpRoute, _, None) => add(
            &["route"],
            "an HTTPRoute needs its `gateway`; give its `name` and `namespace`".into(),
        ),
        (RouteKind::HttpRoute, Some(_), _) => add(
            &["route", "class"],
            "`class` is for an Ingress; leave it out, or write `kind: ingress`".into(),
        ),
        _ => {}
    }
    for (index, class) in cell.storage_classes.iter().enumerate() {
        if cell.storage_classes[..index]
            .iter()
            .any(|earlier| earlier.name == class.name)
        {
            add(
                &["storageClasses", &index.to_string(), "name"],
                format!(
                    "storage class `{}` is there twice; leave one of the two",
                    class.name
                ),
            );
        }
    }
    if cell.storage_classes.is_empty() {
        add(
            &["storageClasses"],
            "`storageClasses` is empty; the first is the default of new volumes".into(),
        );
    }
    let network = &cell.network;
    for (field, empty) in [
        ("clusterCidrs", network.cluster_cidrs.is_empty()),
        ("metadataCidrs", network.metadata_cidrs.is_empty()),
        ("routeFrom", network.route_from.is_empty()),
    ] {
        if empty {
            add(
                &["network", field],
                format!("`{field}` is empty; name at least one"),
            );
        }
    }
    for (field, ranges) in [
        ("clusterCidrs", &network.cluster_cidrs),
        ("nodeCidrs", &network.node_cidrs),
    ] {
        for (index, _) in ranges.iter().enumerate().filter(|(_, range)| whole(range)) {
            add(
                &["network", field, &index.to_string()],
                "a range of all addresses would close the internet; name the cell's own".into(),
            );
        }
    }
    if network.api.cidrs.is_empty() && network.api.pods.is_none() {
        add(
            &["network", "api"],
            "needs `cidrs` or `pods`: a workspace must reach the API".into(),
        );
    }
    let mut selector = |path: &[&str], pods: &PodSelector| {
        if pods.namespace_labels.is_empty() {
            add(
                &[path, &["namespaceLabels"]].concat(),
                "`namespaceLabels` is empty and would select every namespace; name labels of the one meant".into(),
            );
        }
    };
    for (index, pods) in network.route_from.iter().enumerate() {
        selector(&["network", "routeFrom", &index.to_string()], pods);
    }
    selector(&["network", "dns"], &network.dns);
    if let Some(pods) = &network.api.pods {
        selector(&["network", "api", "pods"], pods);
    }
}

fn whole(range: &IpNet) -> bool {
    range.prefix_len() == 0
}
