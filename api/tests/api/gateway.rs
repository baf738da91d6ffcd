//! A workspace's gateway, as it calls the API.

use coditect_core::{
    WorkspaceId,
    sidecar::{self, Access, Credential},
};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    cluster::Cluster,
    harness::{Answer, App, Person},
};

/// A running API that knows one cell's cluster.
pub(crate) struct Cell {
    pub(crate) app: App,
    pub(crate) cluster: Cluster,
    /// What clusters publish.
    pub(crate) folder: TempDir,
}

/// A person with a workspace and its gateway.
pub(crate) struct Pod {
    pub(crate) person: Person,
    pub(crate) user: String,
    pub(crate) workspace: WorkspaceId,
    pub(crate) path: String,
    pub(crate) credential: String,
}

impl Cell {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(adjust: impl FnOnce(&mut coditect_api::ApiConfig)) -> Self {
        let cluster = Cluster::new("https://kubernetes.default.svc.cluster.local");
        let folder = tempfile::tempdir().unwrap();
        cluster.publish(folder.path(), "local");
        // Made alike: the same issuer, another key.
        Cluster::new("https://kubernetes.default.svc.cluster.local")
            .publish(folder.path(), "other");
        let app = App::with(|config| {
            config.cell_keys = Some(folder.path().to_owned());
            adjust(config);
        })
        .await;
        Self {
            app,
            cluster,
            folder,
        }
    }

    /// A person's first workspace and its gateway, with a credential.
    pub(crate) async fn pod(&self, email: &str) -> Pod {
        let person = self.app.person(email).await;
        let me = self
            .app
            .call(&person, "GET", "/api/v5/me", None)
            .await
            .expect(200)
            .json();
        let path = self.app.workspace(&person).await;
        let mut pod = Pod {
            person,
            user: me["user_id"].as_str().unwrap().to_owned(),
            workspace: path.rsplit('/').next().unwrap().parse().unwrap(),
            path,
            credential: String::new(),
        };
        pod.credential = self.credential(&pod).await.credential;
        pod
    }

    pub(crate) fn claims(&self, pod: &Pod) -> Value {
        let workspace = pod.workspace.to_string();
        self.cluster.claims(&pod.user, &workspace, self.app.now())
    }

    /// Exchanges a token of the cluster.
    pub(crate) async fn exchange(&self, token: &str) -> Answer {
        let request = self.app.request("POST", sidecar::CREDENTIAL_PATH);
        self.app.send(request.bearer_auth(token)).await
    }

    pub(crate) async fn credential(&self, pod: &Pod) -> Credential {
        let token = self.cluster.sign(&self.claims(pod));
        let answer = self.exchange(&token).await.expect(200);
        serde_json::from_str(&answer.text).unwrap()
    }

    /// A call of the gateway.
    pub(crate) async fn call(
        &self,
        pod: &Pod,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let request = self.app.request(method, path).bearer_auth(&pod.credential);
        self.app
            .send(match body {
                Some(body) => request.json(&body),
                None => request,
            })
            .await
    }

    /// A code for the pod's own workspace.
    pub(crate) async fn code(&self, pod: &Pod) -> String {
        let path = format!("{}/connect", pod.path);
        let made = self
            .app
            .call(&pod.person, "POST", &path, None)
            .await
            .expect(200)
            .json();
        made["code"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn redeem(&self, pod: &Pod, code: &str) -> Answer {
        let body = serde_json::json!({ "code": code });
        self.call(pod, "POST", sidecar::REDEEM_PATH, Some(body))
            .await
    }

    pub(crate) async fn access(&self, pod: &Pod, query: &str) -> Access {
        let path = format!("{}{query}", sidecar::ACCESS_PATH);
        let answer = self.call(pod, "GET", &path, None).await.expect(200);
        serde_json::from_str(&answer.text).unwrap()
    }

    pub(crate) async fn power(&self, pod: &Pod, to: &str) {
        let path = format!("{}/{to}", pod.path);
        self.app
            .call(&pod.person, "POST", &path, None)
            .await
            .expect(202);
    }

    /// When the workspace was last used, as far as is known.
    pub(crate) async fn activity(
        &self,
        pod: &Pod,
    ) -> Option<(Option<Timestamp>, Option<Timestamp>, Timestamp)> {
        let mut view = self.app.registry.view().await.unwrap();
        let known = view.activities(&"local".parse().unwrap()).await.unwrap();
        known
            .get(&pod.workspace)
            .map(|activity| (activity.input_at, activity.output_at, activity.reported_at))
    }
}
