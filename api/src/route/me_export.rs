//! A copy of everything that the registry holds of the person (GDPR, articles 15 and 20).

use std::{collections::BTreeMap, io, mem};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use coditect_core::{Error, RequestId};
use coditect_registry::{
    Copied, PersonalCopy,
    keys::{Portable, portables},
    operation::NoteCopy,
};
use jiff::Timestamp;
use serde_json::json;

use crate::{
    archive::Archive,
    caller::SignedIn,
    problem::Answer,
    state::{ApiState, OpenStream},
};

/// How large a file of the archive grows before the next of its kind is begun. There are some forty kinds: so much of
/// each may be in memory at once.
const FILE_BYTES: usize = 256 * 1024;

/// Everything that is held of the person, as one archive: a folder for each kind of record, in it files of JSON, and a
/// `README.txt` that says what is there, what is not, and why. Made while it is sent; one that broke off does not unpack.
#[utoipa::path(
    get, path = "/api/v5/me/export", tag = "me",
    responses((status = 200, description = "A gzipped tar archive", body = Vec<u8>, content_type = "application/gzip")),
)]
pub(super) async fn export(State(state): State<ApiState>, caller: SignedIn) -> Answer<Response> {
    caller.login()?;
    let place = state.open_stream(caller.account)?;
    let at = state.now();
    let note = NoteCopy {
        account: caller.account,
        at,
    };
    state.registry.apply(RequestId::random(), &note).await?;
    let copy = state.registry.personal_copy(caller.account).await?;
    let making = Making {
        copy,
        archive: Archive::new(at),
        files: BTreeMap::new(),
        place,
    };
    let name = format!("attachment; filename=\"coditect-{}.tar.gz\"", day(at));
    let disposition = HeaderValue::from_str(&name)
        .map_err(|error| Error::internal("a header cannot be written").because(error))?;
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/gzip"),
        ),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let stream = futures::stream::try_unfold(Some(making), |making| async {
        match making {
            Some(making) => making.go_on().await.map(Some),
            None => Ok(None),
        }
    });
    Ok((headers, Body::from_stream(stream)).into_response())
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// An archive on its way.
struct Making {
    copy: PersonalCopy,
    archive: Archive,
    /// By kind: how many files there are, and what the next will hold.
    files: BTreeMap<&'static str, (u32, Vec<u8>)>,
    /// Given back when the archive is sent, or the client has gone.
    #[allow(dead_code, reason = "held, not read")]
    place: OpenStream,
}

impl Making {
    /// The next bytes, and what goes on if it goes on.
    async fn go_on(mut self) -> io::Result<(Vec<u8>, Option<Self>)> {
        loop {
            let Some(page) = self.copy.next().await.map_err(broken)? else {
                return Ok((self.end()?, None));
            };
            for copied in page {
                self.put(&copied)?;
            }
            let bytes = self.archive.take();
            if !bytes.is_empty() {
                return Ok((bytes, Some(self)));
            }
        }
    }

    fn put(&mut self, copied: &Copied) -> io::Result<()> {
        let (number, content) = self.files.entry(copied.name).or_default();
        content.extend_from_slice(if content.is_empty() { b"[\n" } else { b",\n" });
        let record = json!({ "key": copied.key, "value": copied.value });
        serde_json::to_writer(&mut *content, &record)?;
        if content.len() < FILE_BYTES {
            return Ok(());
        }
        *number += 1;
        let (number, content) = (*number, mem::take(content));
        add(&mut self.archive, copied.name, number, content)
    }

    fn end(mut self) -> io::Result<Vec<u8>> {
        for (name, (number, content)) in self.files {
            if !content.is_empty() {
                add(&mut self.archive, name, number + 1, content)?;
            }
        }
        self.archive.add("README.txt", read_me().as_bytes())?;
        self.archive.finish()
    }
}

fn add(archive: &mut Archive, name: &str, number: u32, mut content: Vec<u8>) -> io::Result<()> {
    content.extend_from_slice(b"\n]\n");
    archive.add(&format!("{name}/{number:04}.json"), &content)
}

/// The client sees that the archive broke off; the log says why.
fn broken(error: Error) -> io::Error {
    tracing::error!(error = error.chain(), "a person's copy broke off");
    io::Error::other("the copy broke off")
}

/// What the archive holds and what not, by the table that it is made by.
fn read_me() -> String {
    let mut text = String::from(
        "This is what Coditect holds of you, as of the day in the archive's name.\n\n\
         Each folder is a kind of record. Its files are lists in JSON; every record has the varying parts of its key and its\n\
         value. Times are RFC 3339 in UTC. A folder that is missing would be empty.\n\n\
         The files of your workspaces are not here: they are on the workspaces' volumes, and earlier versions of them behind\n\
         GET /api/v5/workspaces/{id}/files. Left out are hashes and secrets by which we know you again, and, kind by kind,\n\
         what stands at the end.\n\nFolder, and the kind of key that it is of:\n\n",
    );
    let mut left_out = String::from("\nLeft out, and why:\n\n");
    for (pattern, decision) in portables() {
        match decision {
            Portable::Yes(name, []) => text += &format!("  {name}: {pattern}\n"),
            Portable::Yes(name, without) => {
                text += &format!("  {name}: {pattern}, without {}\n", without.join(" and "));
            }
            Portable::No(why) => left_out += &format!("  {pattern}: {why}\n"),
        }
    }
    text + &left_out
}
