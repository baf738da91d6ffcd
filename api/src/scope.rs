//! What API keys may do: the one table of the routes that are open to them. A route that is not here is open to
//! people's own sign-ins alone: whatever asks for a password, ends sign-ins or makes keys is never here.

use axum::http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an API key may do.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
pub(crate) enum Scope {
    /// See who the person is, and what they used.
    #[serde(rename = "profile:read")]
    ProfileRead,
    /// See workspaces, and follow them.
    #[serde(rename = "workspaces:read")]
    WorkspacesRead,
    /// Make, rename, start, stop and delete workspaces.
    #[serde(rename = "workspaces:write")]
    WorkspacesWrite,
    /// See what is open in workspaces.
    #[serde(rename = "sessions:read")]
    SessionsRead,
    /// Open, change and end what is open in workspaces.
    #[serde(rename = "sessions:write")]
    SessionsWrite,
    /// See workspaces' files and their versions.
    #[serde(rename = "files:read")]
    FilesRead,
    /// Bring versions of files back, and forget files.
    #[serde(rename = "files:write")]
    FilesWrite,
    /// See the tenant, its members, whom it invited and what was decided there, as far as the person may.
    #[serde(rename = "tenant:read")]
    TenantRead,
    /// Invite, remove and restore members and change their roles, as far as the person may; but make no owners.
    #[serde(rename = "tenant:write")]
    TenantWrite,
}

impl Scope {
    /// Every scope.
    pub(crate) const ALL: [Self; 9] = [
        Self::ProfileRead,
        Self::WorkspacesRead,
        Self::WorkspacesWrite,
        Self::SessionsRead,
        Self::SessionsWrite,
        Self::FilesRead,
        Self::FilesWrite,
        Self::TenantRead,
        Self::TenantWrite,
    ];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ProfileRead => "profile:read",
            Self::WorkspacesRead => "workspaces:read",
            Self::WorkspacesWrite => "workspaces:write",
            Self::SessionsRead => "sessions:read",
            Self::SessionsWrite => "sessions:write",
            Self::FilesRead => "files:read",
            Self::FilesWrite => "files:write",
            Self::TenantRead => "tenant:read",
            Self::TenantWrite => "tenant:write",
        }
    }
}

use Scope::{
    FilesRead, FilesWrite, ProfileRead, SessionsRead, SessionsWrite, TenantRead, TenantWrite,
    WorkspacesRead, WorkspacesWrite,
};

/// Which scope a route asks of a key.
#[rustfmt::skip]
const OPEN: &[(Method, &str, Scope)] = &[
    (Method::GET, "/api/v5/me", ProfileRead),
    (Method::GET, "/api/v5/me/usage", ProfileRead),
    (Method::GET, "/api/v5/tenant", TenantRead),
    (Method::PATCH, "/api/v5/tenant", TenantWrite),
    (Method::GET, "/api/v5/tenant/members", TenantRead),
    (Method::PATCH, "/api/v5/tenant/members/{id}", TenantWrite),
    (Method::DELETE, "/api/v5/tenant/members/{id}", TenantWrite),
    (Method::POST, "/api/v5/tenant/members/{id}/restore", TenantWrite),
    (Method::GET, "/api/v5/tenant/invitations", TenantRead),
    (Method::POST, "/api/v5/tenant/invitations", TenantWrite),
    (Method::DELETE, "/api/v5/tenant/invitations/{id}", TenantWrite),
    (Method::GET, "/api/v5/tenant/audit", TenantRead),
    (Method::GET, "/api/v5/workspaces", WorkspacesRead),
    (Method::POST, "/api/v5/workspaces", WorkspacesWrite),
    (Method::GET, "/api/v5/workspaces/events", WorkspacesRead),
    (Method::GET, "/api/v5/workspaces/{id}", WorkspacesRead),
    (Method::PATCH, "/api/v5/workspaces/{id}", WorkspacesWrite),
    (Method::DELETE, "/api/v5/workspaces/{id}", WorkspacesWrite),
    (Method::POST, "/api/v5/workspaces/{id}/restore", WorkspacesWrite),
    (Method::POST, "/api/v5/workspaces/{id}/start", WorkspacesWrite),
    (Method::POST, "/api/v5/workspaces/{id}/stop", WorkspacesWrite),
    (Method::POST, "/api/v5/workspaces/{id}/keep", WorkspacesWrite),
    (Method::GET, "/api/v5/workspaces/{id}/events", WorkspacesRead),
    (Method::GET, "/api/v5/workspaces/{id}/history", WorkspacesRead),
    (Method::GET, "/api/v5/workspaces/{id}/manifests", WorkspacesRead),
    (Method::GET, "/api/v5/sessions", SessionsRead),
    (Method::POST, "/api/v5/sessions", SessionsWrite),
    (Method::GET, "/api/v5/sessions/{id}", SessionsRead),
    (Method::PUT, "/api/v5/sessions/{id}", SessionsWrite),
    (Method::DELETE, "/api/v5/sessions/{id}", SessionsWrite),
    (Method::POST, "/api/v5/sessions/{id}/seen", SessionsWrite),
    (Method::GET, "/api/v5/workspaces/{id}/files", FilesRead),
    (Method::DELETE, "/api/v5/workspaces/{id}/files/{path}", FilesWrite),
    (Method::GET, "/api/v5/workspaces/{id}/files/{path}/snapshots", FilesRead),
    (Method::GET, "/api/v5/workspaces/{id}/files/{path}/snapshots/{snapshot}", FilesRead),
    (Method::POST, "/api/v5/workspaces/{id}/files/{path}/snapshots/{snapshot}/restore", FilesWrite),
    (Method::GET, "/api/v5/workspaces/{id}/restores", FilesRead),
];

/// The scope that a route asks of a key; none if no key may call it.
pub(crate) fn asked(method: &Method, path: &str) -> Option<Scope> {
    // A handler that answers GET answers HEAD as well (RFC 9110 section 9.3.2).
    let method = match *method {
        Method::HEAD => &Method::GET,
        _ => method,
    };
    OPEN.iter()
        .find(|(of, route, _)| of == method && *route == path)
        .map(|(_, _, scope)| *scope)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_names_routes_that_exist_each_once() {
        let document = serde_json::to_value(crate::openapi()).unwrap();
        let mut seen = BTreeSet::new();
        for (method, path, _) in OPEN {
            let method = method.as_str().to_ascii_lowercase();
            let security = &document["paths"][path][&method]["security"];
            assert!(security[0]["access_token"].is_array(), "{method} {path}");
            assert!(seen.insert((method, path)), "{path}");
        }
    }

    #[test]
    fn names_are_what_is_written() {
        for scope in Scope::ALL {
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.name());
        }
        let count: BTreeSet<_> = Scope::ALL.iter().collect();
        assert_eq!(count.len(), Scope::ALL.len());
    }

    #[test]
    fn what_is_read_by_get_is_read_by_head() {
        assert_eq!(asked(&Method::HEAD, "/api/v5/me"), Some(ProfileRead));
        assert_eq!(asked(&Method::DELETE, "/api/v5/me"), None);
    }
}
