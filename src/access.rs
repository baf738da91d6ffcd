//! Credentials for repositories elsewhere: options and what they mean.

use std::path::PathBuf;

use clap::Args;
use coditect_renderer::git::GitAccess;

use crate::serving::{hidden, none};

/// How repositories elsewhere are reached: the policy's, the cells' remote or mirror.
#[derive(Clone, Debug, Args)]
pub(crate) struct Access {
    /// A file with the private key for Git remotes over SSH. What is not said here is as git's and ssh's own
    /// configuration says; so are remotes that need credentials of their own each.
    #[arg(long, value_name = "FILE", env = "CODITECT_REMOTE_SSH_KEY_FILE")]
    remote_ssh_key_file: Option<PathBuf>,

    /// A file with the keys of the hosts that Git remotes over SSH are on, as ssh's `known_hosts`. Any other host is
    /// refused.
    #[arg(long, value_name = "FILE", env = "CODITECT_REMOTE_KNOWN_HOSTS_FILE")]
    remote_known_hosts_file: Option<PathBuf>,

    /// A file with the password or token for Git remotes over HTTPS: its first line, read again for every command.
    #[arg(long, value_name = "FILE", env = "CODITECT_REMOTE_PASSWORD_FILE")]
    remote_password_file: Option<PathBuf>,

    /// The user's name for Git remotes over HTTPS. Hosts that know a token take any.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "coditect",
        env = "CODITECT_REMOTE_USER"
    )]
    remote_user: String,

    /// Who vouches for the certificates of Git remotes (PEM), in place of the system's authorities.
    #[arg(long, value_name = "FILE", env = "CODITECT_REMOTE_CA_FILE")]
    remote_ca_file: Option<PathBuf>,
}

impl Access {
    /// As the renderer takes it.
    pub(crate) fn git(&self) -> GitAccess {
        GitAccess {
            ssh_key: self.remote_ssh_key_file.clone(),
            known_hosts: self.remote_known_hosts_file.clone(),
            user: self.remote_user.clone(),
            password: self.remote_password_file.clone(),
            ca: self.remote_ca_file.clone(),
        }
    }

    /// For `coditect config`.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let file = |file: &Option<PathBuf>| {
            file.as_ref()
                .map_or_else(none, |file| file.display().to_string())
        };
        let hidden = |file: &Option<PathBuf>| hidden(file.as_ref());
        vec![
            ("remote-ssh-key-file", hidden(&self.remote_ssh_key_file)),
            (
                "remote-known-hosts-file",
                file(&self.remote_known_hosts_file),
            ),
            ("remote-password-file", hidden(&self.remote_password_file)),
            ("remote-user", self.remote_user.clone()),
            ("remote-ca-file", file(&self.remote_ca_file)),
        ]
    }
}
