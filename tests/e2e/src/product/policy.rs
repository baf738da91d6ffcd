//! The policy of an installation under test: the sample, with the facts of the cell that is really there.

use std::{fs, path::Path};

use crate::{Result, files};

/// Writes the sample policy of the tree into a policy folder, with one cell of this name.
pub(super) fn plant(tree: &Path, policy: &Path, cell: &str) -> Result {
    for part in ["tenants", "templates"] {
        files::copy(&tree.join(part), &policy.join(part))?;
    }
    let cells = policy.join("tenants/cells");
    for file in fs::read_dir(&cells)? {
        fs::remove_file(file?.path())?;
    }
    fs::write(cells.join(format!("{cell}.yaml")), facts(cell))?;
    Ok(())
}

/// The cell: pods have no network that could be reached, so that their own word says whether they are ready.
fn facts(cell: &str) -> String {
    format!(
        "domain: {cell}.workspaces.test
capacity: 5000
readiness: pod
storageClasses:
  - name: standard-rwo
    milliDollarsPerGibMonth: 40
route:
  kind: ingress
  class: nginx
network:
  clusterCidrs: [10.2.0.0/16, 10.96.0.0/12]
  nodeCidrs: [10.1.0.0/16]
  apiServerCidrs: [10.1.0.254/32]
  apiServerPort: 6443
  metadataCidrs: [169.254.169.254/32]
  dns:
    namespaceLabels: {{kubernetes.io/metadata.name: kube-system}}
    podLabels: {{k8s-app: kube-dns}}
  api:
    address: http://coditect-api.coditect.svc.cluster.local
    pods:
      namespaceLabels: {{kubernetes.io/metadata.name: coditect}}
      podLabels: {{app.kubernetes.io/name: coditect-api}}
    port: 8000
  routeFrom:
    - namespaceLabels: {{kubernetes.io/metadata.name: ingress-nginx}}
"
    )
}
