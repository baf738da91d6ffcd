//! What of a user's rendered file the local runtime needs: which pods there are, and whether any may run.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use coditect_core::{Slug, Standing, UserId, UserIntent, WorkspaceId};
use coditect_renderer::{names, render::intent_of};
use serde::Deserialize;
use serde_json::Value;

/// What Git says of one user.
#[derive(Clone, Debug)]
pub(crate) struct UserFile {
    /// The intent that the file was rendered from.
    pub(crate) intent: UserIntent,
    /// The pods of the user's StatefulSets.
    pub(crate) pods: BTreeMap<WorkspaceId, Arc<Pod>>,
    /// True if the namespace's quota allows no pod, as in a held cell.
    pub(crate) no_room: bool,
}

/// One workspace's pod, as its StatefulSet describes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pod {
    pub(crate) workspace: WorkspaceId,
    pub(crate) user: UserId,
    /// The first label of its host.
    pub(crate) slug: Slug,
    /// Under which service account it runs.
    pub(crate) service_account: String,
    /// How long it may take to end once it is asked to.
    pub(crate) grace: Duration,
    /// In the order in which they start: native sidecars first.
    pub(crate) containers: Vec<Container>,
}

/// One container of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
}

impl UserFile {
    /// True if the intent lets the workspace run.
    pub(crate) fn is_active(&self, workspace: WorkspaceId) -> bool {
        let standing = self
            .intent
            .workspace(workspace)
            .map(|workspace| workspace.standing);
        self.intent.standing == Standing::Active && standing == Some(Standing::Active)
    }

    /// Reads a user's file.
    ///
    /// # Errors
    /// What in it is not as the renderer writes it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let intent = intent_of(bytes).ok_or("it records no intent")?;
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(text).map_err(|error| error.to_string())?;
        let of_kind = |kind: &'static str| documents.iter().filter(move |doc| doc["kind"] == kind);
        let no_room = of_kind("ResourceQuota").any(|quota| quota["spec"]["hard"]["pods"] == "0");
        let mut pods = BTreeMap::new();
        for set in of_kind("StatefulSet") {
            let pod = pod(set, &intent)?;
            pods.insert(pod.workspace, Arc::new(pod));
        }
        Ok(Self {
            intent,
            pods,
            no_room,
        })
    }
}

fn pod(set: &Value, intent: &UserIntent) -> Result<Pod, String> {
    let label = set["metadata"]["labels"][names::WORKSPACE].as_str();
    let workspace: WorkspaceId = label
        .and_then(|label| label.parse().ok())
        .ok_or("a StatefulSet does not say whose it is")?;
    let wanted = intent
        .workspace(workspace)
        .ok_or_else(|| format!("StatefulSet {workspace} is not in the intent"))?;
    let spec: PodSpec = serde_json::from_value(set["spec"]["template"]["spec"].clone())
        .map_err(|error| format!("StatefulSet {workspace}: {error}"))?;
    Ok(Pod {
        workspace,
        user: intent.user,
        slug: wanted.slug.clone(),
        service_account: spec.service_account_name,
        grace: Duration::from_secs(spec.termination_grace_period_seconds),
        containers: spec
            .init_containers
            .into_iter()
            .chain(spec.containers)
            .map(Container::from)
            .collect(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    service_account_name: String,
    /// Kubernetes' own default where none is given.
    #[serde(default = "thirty")]
    termination_grace_period_seconds: u64,
    #[serde(default)]
    init_containers: Vec<ContainerSpec>,
    containers: Vec<ContainerSpec>,
}

fn thirty() -> u64 {
    30
}

#[derive(Deserialize)]
struct ContainerSpec {
    name: String,
    image: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: Vec<Variable>,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
    #[serde(default)]
    value: String,
}

impl From<ContainerSpec> for Container {
    fn from(spec: ContainerSpec) -> Self {
        Self {
            name: spec.name,
            image: spec.image,
            args: spec.args,
            env: spec
                .env
                .into_iter()
                .map(|variable| (variable.name, variable.value))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// The file that the renderer makes of a golden case.
    fn golden(case: &str) -> Vec<u8> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(case)
            .join("expected");
        let mut files: Vec<_> = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|file| file.unwrap().path())
            .collect();
        files.sort();
        let documents = files
            .iter()
            .map(|file| format!("---\n{}", fs::read_to_string(file).unwrap()));
        documents.collect::<String>().into_bytes()
    }

    #[test]
    fn a_rendered_file_says_what_to_run() {
        let file = UserFile::parse(&golden("cell-sandboxed")).unwrap();
        assert!(!file.no_room);
        let (id, pod) = file.pods.first_key_value().unwrap();
        assert!(file.is_active(*id) && !file.is_active(WorkspaceId::random()));
        assert_eq!(pod.grace, Duration::from_secs(120));
        assert_eq!(pod.service_account, "workspace-sa");
        let names: Vec<_> = pod.containers.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["websocket-gateway", "theia"]);
        assert_eq!(pod.containers[0].env["CODITECT_WORKSPACE"], id.to_string());
        assert_eq!(pod.containers[1].args[0], "/workspace");
    }

    #[test]
    fn a_held_cell_has_no_room() {
        assert!(UserFile::parse(&golden("cell-hold")).unwrap().no_room);
    }

    #[test]
    fn what_the_renderer_did_not_write_is_refused() {
        for text in [&b"kind: Namespace"[..], b"\xff", b"- 1\n- 2"] {
            assert!(UserFile::parse(text).is_err());
        }
    }
}
