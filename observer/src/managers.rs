//! Which of an object's field managers is a controller, and not a person or another tool.

/// How the names of those begin that may write: the control plane's own controllers, a cluster vendor's, Argo CD, and
/// ourselves. `argocd-server` is not among them: it writes when a person edits an object in Argo CD's pages.
const CONTROLLERS: [&str; 5] = [
    "kube-",
    "cloud-controller-manager",
    "argocd-controller",
    "argocd-application-controller",
    "coditect-",
];

/// True for a controller that may write what it writes.
pub(crate) fn is_controller(manager: &str) -> bool {
    CONTROLLERS.iter().any(|known| manager.starts_with(known))
}
