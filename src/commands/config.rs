use clap::Args;
use coditect_core::Result;
use serde::Serialize;

use super::api::Server;
use crate::{cells::Rendering, cli::Output, data::Data, exit::Exit, output};

/// Print the effective configuration, secrets hidden.
///
/// Takes the same options and environment variables as `dev`, `api` and `renderer`, and says what they would
/// work with.
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    rendering: Rendering,
}

#[derive(Serialize)]
struct Setting {
    name: &'static str,
    value: String,
}

impl Config {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let setting = |name, value: String| Setting { name, value };
        let mut settings = vec![
            setting("data", self.data.folder().display().to_string()),
            setting("registry", self.data.registry().display().to_string()),
            setting("registry-socket", self.data.socket().display().to_string()),
            setting("policy", self.data.policy().display().to_string()),
            setting(
                "keys",
                format!("{} (contents hidden)", self.data.keys().display()),
            ),
            setting(
                "mirror",
                self.rendering
                    .mirror
                    .as_deref()
                    .map_or_else(|| "none".into(), coditect_renderer::git::redacted),
            ),
            setting("mirror-force", self.rendering.mirror_force.to_string()),
        ];
        let store = self.data.store().settings();
        settings.extend(store.into_iter().map(|(name, value)| setting(name, value)));
        settings.push(setting(
            "lease-seconds",
            self.rendering.lease_seconds.to_string(),
        ));
        let Rendering {
            hosted,
            serving,
            telling,
            policy_host,
            ..
        } = &self.rendering;
        settings.extend(
            [
                hosted.settings(),
                serving.settings(),
                telling.settings(),
                policy_host.settings(),
            ]
            .into_iter()
            .flatten()
            .map(|(name, value)| setting(name, value)),
        );
        let policy = self.server.policy.settings();
        settings.extend(policy.into_iter().map(|(name, value)| setting(name, value)));
        settings.extend(
            self.server
                .settings()
                .into_iter()
                .map(|(name, value)| setting(name, value)),
        );
        match output {
            Output::Json => output::json(&settings)?,
            Output::Text => {
                output::table(
                    ["setting", "value"],
                    settings
                        .into_iter()
                        .map(|setting| [setting.name.to_owned(), setting.value]),
                );
            }
        }
        Ok(Exit::Done)
    }
}
