//! What the API server admits and refuses: every plan's objects, what a user might try, and what each of the
//! platform's identities is held to. Without the product and without Argo CD: the golden manifests are what the
//! renderer gives, and `deploy/access` is what an operator applies.

mod developer;
mod identities;
mod users;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{Cluster, Context, Length, Result, Scenario, allow, ensure, fail, until};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "admission",
    purpose: "users' objects are admitted for every plan; what nobody may do is refused",
    expected: Duration::from_secs(120),
    length: Length::Quick,
    run: |context| Box::pin(run(context)),
};

/// How long the cluster may take to do what was asked of it.
const LIMIT: Duration = Duration::from_secs(60);

async fn run(context: &mut Context) -> Result {
    let cluster = context.own_cluster("cluster").await?;
    allow(&context.machine, &cluster).await?;
    let golden = context.machine.tree.join("tests/golden");
    let users = users::bring(&cluster, &golden).await?;
    users::what_a_user_might_try_is_refused(&cluster, &users).await?;
    users::a_user_sees_its_own_namespace_only(&cluster, &users).await?;
    identities::rights_are_these_and_no_more(&cluster).await?;
    identities::the_observer_sets_scales_of_users_only(&cluster, &users).await?;
    identities::the_reaper_deletes_what_is_marked_only(&cluster, &users).await?;
    developer::the_gateway_is_closed_to_its_user(&cluster, &users).await?;
    cluster.stop().await
}

/// A user of a golden case, live in the cluster.
struct User {
    /// The case, such as `plan-pro`.
    case: &'static str,
    /// `user-<id>`.
    namespace: String,
    /// `workspace-<id>`.
    workspace: String,
    /// The service account of the workspace's pod.
    kubeconfig: PathBuf,
}

/// Who asks, with what, for what.
struct Asking<'a> {
    cluster: &'a Cluster,
    kubeconfig: PathBuf,
}

impl<'a> Asking<'a> {
    async fn account(cluster: &'a Cluster, name: &str) -> Result<Self> {
        let kubeconfig = cluster.kubeconfig_of("coditect", name).await?;
        Ok(Self {
            cluster,
            kubeconfig,
        })
    }

    fn with(cluster: &'a Cluster, kubeconfig: &Path) -> Self {
        let kubeconfig = kubeconfig.to_owned();
        Self {
            cluster,
            kubeconfig,
        }
    }

    /// `kubectl` with these words, separated by spaces, and this on its standard input.
    async fn kubectl(&self, words: &str, input: &str) -> Result<String> {
        // First: behind a `--` it would be a word of the command that is run in a container.
        let whose = format!("--kubeconfig={}", self.kubeconfig.display());
        let words: Vec<&str> = std::iter::once(whose.as_str())
            .chain(words.split(' '))
            .collect();
        self.cluster
            .kubectl_as(&self.kubeconfig, &words, Some(input))
            .await
    }

    async fn may(&self, words: &str, input: &str) -> Result {
        self.kubectl(words, input).await.map(drop)
    }

    /// Fails unless the request is refused, and for this reason.
    async fn may_not(&self, words: &str, input: &str, why: &str) -> Result {
        match self.kubectl(words, input).await {
            Ok(_) => fail!("`kubectl {words}` was allowed; {why:?} was expected\n{input}"),
            Err(refused) => {
                let refused = refused.to_string();
                ensure!(
                    refused.contains(why),
                    "`kubectl {words}` was refused, but not because {why:?}: {refused}"
                );
                Ok(())
            }
        }
    }

    /// What `kubectl auth can-i` answers.
    async fn can_i(&self, words: &str) -> Result<bool> {
        // It ends with status 1 if the answer is no.
        let answer = match self.kubectl(&format!("auth can-i {words}"), "").await {
            Ok(answer) => answer,
            Err(failure) => failure.to_string(),
        };
        match answer.trim().rsplit(['\n', ' ']).next() {
            Some("yes") => Ok(true),
            Some("no") => Ok(false),
            _ => fail!("`kubectl auth can-i {words}` says {answer:?}"),
        }
    }

    /// Sets a scale.
    async fn scale(&self, namespace: &str, name: &str, to: u32) -> Result {
        self.may(&scaling(namespace, name, to), "").await
    }
}

/// The words that set a scale.
fn scaling(namespace: &str, name: &str, to: u32) -> String {
    format!(
        "patch statefulset {name} --namespace={namespace} --subresource=scale --type=merge \
         --patch={{\"spec\":{{\"replicas\":{to}}}}}"
    )
}

/// Waits until policies that were just applied refuse: the API server reads them by a watch.
async fn in_force(asking: &Asking<'_>, words: &str, why: &str) -> Result {
    until(format!("{why:?} to be in force"), LIMIT, || async {
        asking.may_not(words, "", why).await
    })
    .await
}
