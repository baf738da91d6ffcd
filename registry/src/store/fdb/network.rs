//! What the client library is told before its thread starts.

use std::{fs, path::Path};

use coditect_fdb_network::start as start_network;
use foundationdb::options::NetworkOption;

use super::{
    super::StoreError,
    options::{NetworkOptions, text},
};

/// Starts the network, unless it runs: then `options` count for nothing.
///
/// # Errors
/// `NotOpened`: a process has no second attempt.
pub(super) fn start(options: &NetworkOptions) -> Result<(), StoreError> {
    start_network(options.api_version, settings(options)?).map_err(|error| {
        StoreError::NotOpened(format!(
            "FoundationDB's client cannot be started with these options: {error}; start the process anew with others"
        ))
    })
}

fn settings(options: &NetworkOptions) -> Result<Vec<NetworkOption>, StoreError> {
    let NetworkOptions {
        api_version: _,
        client_libraries,
        client_directory,
        disable_local_client,
        trace_directory,
        tls,
    } = options;
    let mut settings = Vec::new();
    let mut path = |file: Option<&Path>, option: fn(String) -> NetworkOption| {
        if let Some(file) = file {
            settings.push(option(text(file)?.to_owned()));
        }
        Ok::<(), StoreError>(())
    };
    path(trace_directory.as_deref(), NetworkOption::TraceEnable)?;
    for library in client_libraries {
        path(Some(library), NetworkOption::ExternalClientLibrary)?;
    }
    path(
        client_directory.as_deref(),
        NetworkOption::ExternalClientDirectory,
    )?;
    path(tls.authorities_file.as_deref(), NetworkOption::TLSCaPath)?;
    path(tls.certificate_file.as_deref(), NetworkOption::TLSCertPath)?;
    // The password before the key, which is read with it.
    if let Some(file) = &tls.password_file {
        settings.push(NetworkOption::TLSPassword(password(file)?));
    }
    if let Some(key) = &tls.key_file {
        settings.push(NetworkOption::TLSKeyPath(text(key)?.to_owned()));
    }
    if let Some(pattern) = &tls.verify_peers {
        settings.push(NetworkOption::TLSVerifyPeers(pattern.clone().into_bytes()));
    }
    if *disable_local_client {
        settings.push(NetworkOption::DisableLocalClient);
    }
    Ok(settings)
}

/// The password, without the line's end that editors leave.
fn password(file: &Path) -> Result<String, StoreError> {
    let text = fs::read_to_string(file).map_err(|error| {
        StoreError::NotOpened(format!(
            "the password of the private key cannot be read from {}: {error}",
            file.display()
        ))
    })?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
