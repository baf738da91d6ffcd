//! How git reaches a repository elsewhere: its address and credentials, by files, and never on a command line, which
//! everyone on the machine can read.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::process::Command;

use super::{
    command::{self, Output},
    redact::redact,
};

/// Credentials, by files that git and ssh read for every command. What is not named is as git's own configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitAccess {
    /// The private key for SSH.
    pub ssh_key: Option<PathBuf>,
    /// The keys of the hosts that are spoken to over SSH, as ssh's `known_hosts`; any other host is refused.
    pub known_hosts: Option<PathBuf>,
    /// The user's name for HTTPS. Hosts that take a token for a password ask for some name all the same.
    pub user: String,
    /// The password or token for HTTPS: the file's first line. Shown to the address's own host alone, and never over
    /// plain HTTP.
    pub password: Option<PathBuf>,
    /// Who vouches for the host's certificate (PEM), in place of the system's authorities.
    pub ca: Option<PathBuf>,
}

/// Gives the first line of a file as the password, when git asks for one.
const HELPER: &str = r#"!f() { test "$1" = get || exit 0; printf 'username=%s\npassword=%s\n' "$CODITECT_GIT_USER" "$(head -n 1 "$CODITECT_GIT_PASSWORD_FILE")"; }; f"#;

/// A repository elsewhere, as git commands name it.
#[derive(Clone, Copy)]
pub(super) struct Elsewhere<'a> {
    /// The remote's name for one command; its address comes by the environment.
    pub(super) name: &'static str,
    pub(super) url: &'a str,
    pub(super) access: &'a GitAccess,
    /// How long one command may take.
    pub(super) limit: Duration,
}

impl Elsewhere<'_> {
    /// A git command on the repository at `repository` that knows the other one by its name.
    pub(super) fn command(&self, repository: &Path) -> Command {
        let mut settings = vec![(format!("remote.{}.url", self.name), self.url.to_owned())];
        let GitAccess {
            user, password, ca, ..
        } = self.access;
        let mut command = command::git(repository);
        if let (Some(file), Some(origin)) = (password, https_origin(self.url)) {
            // The empty one puts away those of git's own configuration.
            for helper in ["", HELPER] {
                settings.push((format!("credential.{origin}.helper"), helper.to_owned()));
            }
            command
                .env("CODITECT_GIT_USER", user)
                .env("CODITECT_GIT_PASSWORD_FILE", file);
        }
        if let Some(file) = ca {
            // The variable, which goes before any configuration.
            command.env("GIT_SSL_CAINFO", file);
        }
        if let Some(ssh) = self.access.ssh() {
            command.env("GIT_SSH_COMMAND", ssh);
        }
        command.env("GIT_CONFIG_COUNT", settings.len().to_string());
        for (number, (key, value)) in settings.into_iter().enumerate() {
            command
                .env(format!("GIT_CONFIG_KEY_{number}"), key)
                .env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        command
    }

    /// Runs a command to its end; what it printed is without the address's credentials.
    ///
    /// # Errors
    /// A sentence, if it could not be started or took too long.
    pub(super) async fn run(&self, command: Command) -> Result<Output, String> {
        match command::run(command, self.limit).await {
            Ok(output) => Ok(Output {
                success: output.success,
                stdout: redact(&output.stdout, self.url),
                stderr: redact(&output.stderr, self.url),
            }),
            Err(why) => Err(redact(&why, self.url)),
        }
    }
}

impl GitAccess {
    /// How ssh is started, if anything is said about it: it asks nobody, and speaks to no host that it does not know.
    fn ssh(&self) -> Option<String> {
        let mut ssh = "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes".to_owned();
        if self.ssh_key.is_none() && self.known_hosts.is_none() {
            return None;
        }
        if let Some(key) = &self.ssh_key {
            ssh += &format!(" -o IdentitiesOnly=yes -i {}", quoted(key));
        }
        if let Some(hosts) = &self.known_hosts {
            // ssh takes several files, so a name with a space is quoted for it too.
            let file = PathBuf::from(format!("UserKnownHostsFile=\"{}\"", hosts.display()));
            ssh += &format!(" -o GlobalKnownHostsFile=/dev/null -o {}", quoted(&file));
        }
        Some(ssh)
    }
}

/// For the shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// `https://host:port` of an address, without user and path; none if it is no such address.
fn https_origin(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    Some(format!("https://{host}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn environment(url: &str, access: &GitAccess) -> BTreeMap<String, String> {
        let elsewhere = Elsewhere {
            name: "there",
            url,
            access,
            limit: Duration::ZERO,
        };
        let command = elsewhere.command(Path::new("cell.git"));
        let arguments: Vec<_> = command.as_std().get_args().collect();
        assert!(!format!("{arguments:?}").contains("s3cret"));
        let text = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
        let set = command.as_std().get_envs();
        set.filter_map(|(key, value)| Some((text(key), text(value?))))
            .collect()
    }

    #[test]
    fn a_password_is_for_the_address_s_own_host_and_never_for_plain_http() {
        let access = GitAccess {
            password: Some("token".into()),
            ..GitAccess::default()
        };
        let set = environment("https://robot:s3cret@git.example:8443/a.git", &access);
        assert_eq!(
            set["GIT_CONFIG_KEY_1"],
            "credential.https://git.example:8443.helper"
        );
        for url in ["http://git.example/a.git", "ssh://git.example/a.git", "/a"] {
            let set = environment(url, &access);
            assert_eq!(set["GIT_CONFIG_COUNT"], "1", "{url}");
        }
    }

    #[test]
    fn names_of_files_are_quoted_for_the_shell_and_for_ssh() {
        let access = GitAccess {
            ssh_key: Some("/a b/it's".into()),
            known_hosts: Some("/a b/hosts".into()),
            ..GitAccess::default()
        };
        let ssh = &environment("git@git.example:a.git", &access)["GIT_SSH_COMMAND"];
        assert!(ssh.contains(r"-i '/a b/it'\''s'"), "{ssh}");
        assert!(
            ssh.contains(r#"'UserKnownHostsFile="/a b/hosts"'"#),
            "{ssh}"
        );
        let none = environment("git@git.example:a.git", &GitAccess::default());
        assert_eq!(none.get("GIT_SSH_COMMAND"), None);
    }
}
