//! What templates see. Names are composed here; a template only places them.

use coditect_core::{Error, Result, Standing, UserIntent};
use ipnet::IpNet;
use minijinja::{Value, value::Serde};
use serde::Serialize;

use super::quantity::{Quota, Size, gibibytes};
use crate::{
    names,
    policy::{Block, PortRange, RbacProfile, RouteKind, block, ports_without},
    resolve::Shape,
};

/// The names of a user, as text. Every one but the intent is of lower-case letters, digits and hyphens
/// only, so that its JSON is itself.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) user: String,
    pub(crate) tenant: String,
    pub(crate) generation: String,
    pub(crate) shard: String,
    /// The intent as compact JSON.
    pub(crate) intent: String,
    /// Id and slug of each workspace.
    pub(crate) workspaces: Vec<(String, String)>,
}

impl Identity {
    pub(crate) fn of(intent: &UserIntent) -> Result<Self> {
        Ok(Self {
            user: intent.user.to_string(),
            tenant: intent.tenant.to_string(),
            generation: intent.generation.to_string(),
            shard: intent.shard.to_string(),
            intent: serde_json::to_string(intent)
                .map_err(|error| Error::internal("an intent is not JSON").because(error))?,
            workspaces: intent
                .workspaces
                .iter()
                .map(|workspace| (workspace.id.to_string(), workspace.slug.to_string()))
                .collect(),
        })
    }
}

/// The variables of the templates.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Context<'a> {
    user: User<'a>,
    tenant: &'a str,
    plan: &'a str,
    release: &'a str,
    ring: &'a str,
    rbac_profile: RbacProfile,
    mount_service_account_token: bool,
    service_account: &'static str,
    token_audience: &'static str,
    images: Images<'a>,
    pod: Size,
    pids: String,
    gateway: Size,
    /// What the larger of the two containers needs of each resource.
    largest: Size,
    quota: Quota,
    egress: Egress<'a>,
    route: Route<'a>,
    api: &'a str,
    runtime_class_name: Option<&'a str>,
    host_users: Option<bool>,
    #[serde(skip)]
    workspaces: Vec<Workspace<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct User<'a> {
    id: &'a str,
    namespace: String,
    generation: &'a str,
    shard: &'a str,
    intent: &'a str,
    standing: Standing,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Images<'a> {
    ide: &'a str,
    gateway: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Egress<'a> {
    dns: &'a crate::policy::PodSelector,
    api: &'a crate::policy::Api,
    internet: Vec<Block>,
    ports: Vec<PortRange>,
    allowed: Vec<Allowed>,
    api_server: Vec<String>,
    api_server_port: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Allowed {
    cidr: String,
    except: Vec<String>,
    ports: Vec<PortRange>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Route<'a> {
    kind: RouteKind,
    class: Option<&'a str>,
    tls: bool,
    gateway: Option<&'a crate::policy::GatewayReference>,
    annotations: &'a std::collections::BTreeMap<String, String>,
    from: &'a [crate::policy::PodSelector],
    port: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Workspace<'a> {
    id: &'a str,
    name: String,
    slug: &'a str,
    host: String,
    storage: String,
    storage_class: &'a str,
    access_mode: crate::policy::AccessMode,
    standing: Standing,
}

impl<'a> Context<'a> {
    pub(super) fn new(shape: &Shape<'a>, identity: &'a Identity) -> Self {
        let cell = shape.cell;
        let network = &cell.network;
        Self {
            user: User {
                id: &identity.user,
                namespace: format!("user-{}", identity.user),
                generation: &identity.generation,
                shard: &identity.shard,
                intent: &identity.intent,
                standing: shape.standing,
            },
            tenant: &identity.tenant,
            plan: shape.plan.as_str(),
            release: shape.release.as_str(),
            ring: shape.ring.as_str(),
            rbac_profile: shape.rbac_profile,
            mount_service_account_token: shape.mount_service_account_token,
            service_account: names::SERVICE_ACCOUNT,
            token_audience: names::TOKEN_AUDIENCE,
            images: Images {
                ide: &shape.images.ide,
                gateway: &shape.images.gateway,
            },
            pod: Size::of_pod(shape),
            pids: shape.limits.pod.pids.to_string(),
            gateway: Size::of_gateway(shape),
            largest: Size::largest(shape),
            quota: Quota::of(shape),
            egress: egress(shape),
            route: Route {
                kind: cell.route.kind,
                class: cell.route.class.as_deref(),
                tls: cell.route.tls,
                gateway: cell.route.gateway.as_ref(),
                annotations: &cell.route.annotations,
                from: &network.route_from,
                port: names::GATEWAY_PORT,
            },
            api: &network.api.address,
            runtime_class_name: cell.runtime_class_name.as_deref(),
            host_users: cell.host_users,
            workspaces: shape
                .workspaces
                .iter()
                .zip(&identity.workspaces)
                .map(|(shape, (id, slug))| Workspace {
                    id,
                    name: format!("workspace-{id}"),
                    slug,
                    host: format!("{slug}.{}", cell.domain),
                    storage: gibibytes(shape.storage_gib.into()),
                    storage_class: shape.storage_class.as_str(),
                    access_mode: shape.access_mode,
                    standing: shape.standing,
                })
                .collect(),
        }
    }

    /// The variables of a user's templates.
    pub(super) fn for_user(&self) -> Value {
        Value::from(Serde(self))
    }

    /// Those and `workspace`, for a workspace's templates.
    pub(super) fn for_workspace(&self, index: usize) -> Value {
        #[derive(Serialize)]
        struct WithWorkspace<'c, 'a> {
            #[serde(flatten)]
            context: &'c Context<'a>,
            workspace: &'c Workspace<'a>,
        }
        Value::from(Serde(WithWorkspace {
            context: self,
            workspace: &self.workspaces[index],
        }))
    }
}

fn egress<'a>(shape: &Shape<'a>) -> Egress<'a> {
    let (rules, network) = (shape.egress, &shape.cell.network);
    let own = [
        &network.cluster_cidrs,
        &network.node_cidrs,
        &network.api_server_cidrs,
        &network.metadata_cidrs,
    ];
    let own: Vec<IpNet> = own.into_iter().flatten().copied().collect();
    let closed: Vec<IpNet> = own.iter().chain(&rules.denied_cidrs).copied().collect();
    let everything = [
        IpNet::from(ipnet::Ipv4Net::default()),
        IpNet::from(ipnet::Ipv6Net::default()),
    ];
    Egress {
        dns: &network.dns,
        api: &network.api,
        internet: if rules.internet {
            everything
                .into_iter()
                .filter_map(|all| block(all, &closed))
                .collect()
        } else {
            Vec::new()
        },
        ports: ports_without(&rules.denied_ports),
        allowed: rules
            .allowed
            .iter()
            .filter_map(|rule| {
                let Block { cidr, except } = block(rule.cidr, &own)?;
                let named = || {
                    rule.ports
                        .iter()
                        .map(|port| PortRange {
                            from: *port,
                            to: *port,
                        })
                        .collect()
                };
                Some(Allowed {
                    cidr,
                    except,
                    ports: if rule.ports.is_empty() {
                        ports_without(&rules.denied_ports)
                    } else {
                        named()
                    },
                })
            })
            .collect(),
        // With a token and no way to the API server the token would be of no use.
        api_server: if shape.mount_service_account_token {
            network
                .api_server_cidrs
                .iter()
                .map(ToString::to_string)
                .collect()
        } else {
            Vec::new()
        },
        api_server_port: network.api_server_port,
    }
}
