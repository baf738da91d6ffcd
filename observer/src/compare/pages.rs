//! Live objects of one kind in the order of their namespaces, a page at a time.

use std::{collections::VecDeque, iter::Peekable, vec};

use coditect_core::{Error, Result, UserId};
use kube::{
    Api, Client,
    api::ListParams,
    core::{DynamicObject, ObjectMeta},
};
use serde_json::{Map, Value};

use super::{kinds::Kind, user::Live};
use crate::seen;

/// How many objects of a kind are asked for at once: with a dozen kinds, some tens of megabytes at most.
const PAGE: u32 = 200;

/// One kind, read through once. The API server gives namespaces in ascending order, so that what belongs to one
/// user is read together with all other kinds of the same user, and no more than a page a kind is held.
pub(super) struct Pages {
    kind: &'static Kind,
    api: Api<DynamicObject>,
    page: Peekable<vec::IntoIter<(UserId, Live)>>,
    next: Next,
    last: Option<UserId>,
}

enum Next {
    First,
    More(String),
    End,
}

impl Pages {
    pub(super) fn new(client: &Client, kind: &'static Kind) -> Self {
        Self {
            kind,
            api: Api::all_with(client.clone(), &kind.resource()),
            page: Vec::new().into_iter().peekable(),
            next: Next::First,
            last: None,
        }
    }

    /// The user that the next object belongs to.
    pub(super) async fn peek(&mut self) -> Result<Option<UserId>> {
        while self.page.peek().is_none() {
            let token = match &self.next {
                Next::First => None,
                Next::More(token) => Some(token.clone()),
                Next::End => return Ok(None),
            };
            self.fetch(token).await?;
        }
        Ok(self.page.peek().map(|(user, _)| *user))
    }

    /// Everything of one user, who must be the next.
    pub(super) async fn take(&mut self, user: UserId, into: &mut Vec<Live>) -> Result<()> {
        while self.peek().await? == Some(user) {
            into.extend(self.page.next().map(|(_, live)| live));
        }
        Ok(())
    }

    async fn fetch(&mut self, token: Option<String>) -> Result<()> {
        let mut params = ListParams::default().limit(PAGE);
        params.continue_token = token;
        let list = match self.api.list(&params).await {
            Ok(list) => list,
            Err(kube::Error::Api(status)) if status.code == 404 && self.kind.is_optional() => {
                self.next = Next::End;
                return Ok(());
            }
            // The page's version is forgotten; the answer holds where to go on with the newest
            // (Kubernetes documentation, "Retrieving large results sets in chunks").
            Err(kube::Error::Api(status)) if status.code == 410 => {
                let token = status
                    .metadata
                    .as_ref()
                    .and_then(|list| list.continue_.clone());
                let Some(token) = token.filter(|token| !token.is_empty()) else {
                    return Err(unreadable(self.kind, kube::Error::Api(status)));
                };
                self.next = Next::More(token);
                return Ok(());
            }
            Err(error) => return Err(unreadable(self.kind, error)),
        };
        self.next = match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => Next::More(token),
            None => Next::End,
        };
        let mut page = VecDeque::with_capacity(list.items.len());
        for object in list.items {
            let Some(user) = user_of(self.kind, &object.metadata) else {
                continue;
            };
            if self.last.is_some_and(|last| user < last) {
                return Err(Error::internal(format!(
                    "the API server lists {} in no order",
                    self.kind.plural
                )));
            }
            self.last = Some(user);
            page.push_back((user, live(self.kind, object)));
        }
        self.page = Vec::from(page).into_iter().peekable();
        Ok(())
    }
}

/// All of one user's objects, read anew.
pub(super) async fn of_user(
    client: &Client,
    kinds: &'static [Kind],
    user: UserId,
) -> Result<Vec<Live>> {
    let namespace = user.namespace();
    let mut found = Vec::new();
    for kind in kinds {
        if kind.is_namespace() {
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind.resource());
            let object = api.get_opt(&namespace).await;
            found.extend(
                object
                    .map_err(|error| unreadable(kind, error))?
                    .map(|object| live(kind, object)),
            );
            continue;
        }
        let api: Api<DynamicObject> =
            Api::namespaced_with(client.clone(), &namespace, &kind.resource());
        match api.list(&ListParams::default()).await {
            Ok(list) => found.extend(list.items.into_iter().map(|object| live(kind, object))),
            Err(kube::Error::Api(status)) if status.code == 404 && kind.is_optional() => {}
            Err(error) => return Err(unreadable(kind, error)),
        }
    }
    Ok(found)
}

fn unreadable(kind: &Kind, error: kube::Error) -> Error {
    Error::unavailable(format!(
        "the cluster's {} cannot be listed; check that the API server answers and that this identity may list them",
        kind.plural
    ))
    .because(error)
}

/// The user whose namespace the object is, or is in.
fn user_of(kind: &Kind, metadata: &ObjectMeta) -> Option<UserId> {
    let namespace = if kind.is_namespace() {
        metadata.name.as_ref()
    } else {
        metadata.namespace.as_ref()
    };
    seen::user_of(namespace?)
}

fn live(kind: &'static Kind, object: DynamicObject) -> Live {
    let DynamicObject { metadata, data, .. } = object;
    let mut fields = match data {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let owned = metadata
        .owner_references
        .as_ref()
        .is_some_and(|owners| !owners.is_empty());
    let live = Live {
        kind: kind.kind,
        name: metadata.name.clone().unwrap_or_default(),
        deleting: metadata.deletion_timestamp.as_ref().map(|time| time.0),
        owned,
        object: Value::Null,
    };
    fields.insert(
        "metadata".to_owned(),
        serde_json::to_value(metadata).unwrap_or_default(),
    );
    fields.remove("status");
    Live {
        object: Value::Object(fields),
        ..live
    }
}
