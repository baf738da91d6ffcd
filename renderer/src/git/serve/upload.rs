//! One run of `git upload-pack`, from its start until its client has everything or is gone.

use std::{
    io,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use hyper::{
    Request, StatusCode,
    body::{Bytes, Incoming},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, ChildStdout, Command},
    sync::mpsc,
    time::{timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    GitServeLimits, Slot,
    answer::{Answer, Recorder, fresh},
    body::AnswerBody,
    feed::feed,
    route::{Refusal, Service, is_gzip},
};
use crate::git::command::Group;

/// How much is read from `git` at once.
const PIECE: usize = 64 * 1024;
/// How many pieces may wait for a client.
const AHEAD: usize = 2;
/// How much of what `git` complains is kept for the log.
const COMPLAINT: u64 = 4096;
/// Longest `Git-Protocol` header that is handed on.
const LONGEST_PROTOCOL: usize = 200;

/// Settings for this command alone. The repository's owner may be another user (a volume's group): who started
/// the server named the folder. An older head must be fetchable, since the branch may move between a client's
/// question and its fetch; what no branch ever reached is not offered.
const SETTINGS: [&str; 5] = [
    "safe.directory=*",
    "uploadpack.allowReachableSHA1InWant=true",
    "transfer.hideRefs=refs/coditect",
    "core.hooksPath=/dev/null",
    "pack.threads=1",
];

/// A running `git`. Dropped, it and its helpers end.
pub(super) struct Upload {
    child: Child,
    group: Group,
    service: Service,
    /// Bytes that come before what `git` prints.
    preamble: &'static [u8],
    deadline: tokio::time::Instant,
    complaint: AbortOnDropHandle<String>,
    _slot: Slot,
}

impl Upload {
    /// Starts `git` on a repository. `protocol` is what the client's `Git-Protocol` header says.
    pub(super) fn start(
        repository: &Path,
        protocol: Option<&str>,
        service: Service,
        deadline: Instant,
        slot: Slot,
    ) -> Result<Self, Refusal> {
        let protocol = protocol.filter(|protocol| is_protocol(protocol));
        let mut child = command(repository, protocol, service)
            .spawn()
            .map_err(|error| {
                tracing::error!(%error, "the git command could not be started: install git");
                Refusal::Broken
            })?;
        let complaint = tokio::spawn(complaint(child.stderr.take()));
        Ok(Self {
            group: Group::of(&child),
            child,
            service,
            preamble: preamble(service, protocol),
            deadline: deadline.into(),
            complaint: AbortOnDropHandle::new(complaint),
            _slot: slot,
        })
    }

    /// Answers with what `git` prints; the answer begins with its first bytes, so that a `git` that fails at once
    /// is told by the status.
    pub(super) async fn answer(
        mut self,
        request: Request<Incoming>,
        limits: GitServeLimits,
        cut: CancellationToken,
        record: &mut Recorder,
    ) -> Result<Answer, Refusal> {
        let (Some(stdin), Some(mut stdout)) = (self.child.stdin.take(), self.child.stdout.take())
        else {
            return Err(Refusal::Broken);
        };
        let mut feeding = match self.service {
            Service::Advertise => {
                drop(stdin);
                AbortOnDropHandle::new(tokio::spawn(async { Ok(()) }))
            }
            Service::Upload => {
                let gzip = is_gzip(request.headers());
                let body = request.into_body();
                AbortOnDropHandle::new(tokio::spawn(feed(
                    body,
                    stdin,
                    gzip,
                    limits.body,
                    limits.stall,
                )))
            }
        };
        let mut fed = false;
        let first = loop {
            tokio::select! {
                biased;
                read = timeout_at(self.deadline, piece(&mut stdout)) => match read {
                    Ok(Ok(piece)) => break piece,
                    Ok(Err(_)) => return Err(Refusal::Broken),
                    Err(_) => return Err(Refusal::TooSlow),
                },
                ended = &mut feeding, if !fed => {
                    fed = true;
                    ended.map_err(|_| Refusal::Broken)??;
                }
            }
        };
        let content_type = match self.service {
            Service::Advertise => "application/x-git-upload-pack-advertisement",
            Service::Upload => "application/x-git-upload-pack-result",
        };
        let Some(first) = first else {
            // It ended without a word: the body's fault, or the repository's, or nothing was asked.
            if !fed {
                feeding.await.map_err(|_| Refusal::Broken)??;
            }
            if !self.end().await.is_ok_and(|well| well) {
                return Err(Refusal::Broken);
            }
            let nothing = AnswerBody::Whole(Bytes::new().into());
            return Ok(fresh(StatusCode::OK, content_type, nothing));
        };
        let (pieces, receiver) = mpsc::channel(AHEAD);
        let first = [self.preamble, &first].concat();
        let rest = record.hand_over();
        tokio::spawn(async move {
            let stream = Stream {
                pieces,
                stall: limits.stall,
                record: rest,
            };
            // A client that takes nothing for too long, or too little: its connection is cut.
            if let Err(Slow) = stream.run(self, stdout, first.into()).await {
                cut.cancel();
            }
            drop(feeding);
        });
        Ok(fresh(
            StatusCode::OK,
            content_type,
            AnswerBody::Streamed(receiver),
        ))
    }

    /// Waits until `git` has ended, and says whether it ended well; an error if it was killed.
    async fn end(mut self) -> io::Result<bool> {
        let status = timeout_at(self.deadline, self.child.wait()).await??;
        self.group.ended();
        let said = (&mut self.complaint).await.unwrap_or_default();
        if !status.success() {
            tracing::warn!(%status, said, "git upload-pack failed");
        }
        if status.code().is_none() {
            return Err(io::Error::other("git upload-pack was killed"));
        }
        Ok(status.success())
    }
}

/// The client is too slow.
struct Slow;

/// What goes to the client.
struct Stream {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    stall: Duration,
    record: Recorder,
}

impl Stream {
    async fn run(
        mut self,
        upload: Upload,
        mut stdout: ChildStdout,
        first: Bytes,
    ) -> Result<(), Slow> {
        let mut next = first;
        let deadline = upload.deadline;
        loop {
            if !next.is_empty() {
                let bytes = next.len();
                match timeout(self.stall, self.pieces.send(Ok(next))).await {
                    Ok(Ok(())) => self.record.sent(bytes),
                    Ok(Err(_)) => return Ok(()),
                    Err(_) => return Err(Slow),
                }
            }
            next = tokio::select! {
                biased;
                // Nobody reads any more: `git` ends with `upload`.
                () = self.pieces.closed() => return Ok(()),
                read = timeout_at(deadline, piece(&mut stdout)) => match read {
                    Ok(Ok(Some(piece))) => piece,
                    Ok(Ok(None)) => break,
                    Ok(Err(error)) => return self.fail(error).await,
                    Err(_) => return Err(Slow),
                },
            };
        }
        match upload.end().await {
            Ok(true) => self.record.done(),
            // It has told its client why, in the protocol's own words, which end in time: nobody takes a pack that
            // is cut short for a whole one.
            Ok(false) => {}
            Err(error) => return self.fail(error).await,
        }
        Ok(())
    }

    async fn fail(&self, error: io::Error) -> Result<(), Slow> {
        // If nobody reads, nobody needs to know.
        let _ = timeout(self.stall, self.pieces.send(Err(error))).await;
        Ok(())
    }
}

/// The next bytes; none at the end.
async fn piece(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Bytes>> {
    let mut buffer = Vec::with_capacity(PIECE);
    let read = from.read_buf(&mut buffer).await?;
    Ok((read > 0).then(|| buffer.into()))
}

/// The beginning of what `git` complains; reads it to the end, so that nothing blocks.
async fn complaint(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else {
        return String::new();
    };
    let mut said = Vec::new();
    let _ = (&mut from).take(COMPLAINT).read_to_end(&mut said).await;
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&said).trim().to_owned()
}

fn command(repository: &Path, protocol: Option<&str>, service: Service) -> Command {
    let mut command = Command::new("git");
    command.env_clear();
    // Nothing else of our environment is Git's business: no person's configuration, no trace, no credential.
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("LC_ALL", "C");
    if let Some(protocol) = protocol {
        command.env("GIT_PROTOCOL", protocol);
    }
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    command.args(["upload-pack", "--strict", "--stateless-rpc"]);
    if service == Service::Advertise {
        command.arg("--http-backend-info-refs");
    }
    command
        .arg(repository)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // With its helpers a group of its own, which can be ended together.
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// What Git itself accepts in its `Git-Protocol` header, of reasonable length.
fn is_protocol(protocol: &str) -> bool {
    protocol.len() <= LONGEST_PROTOCOL
        && protocol
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"=:.-_".contains(&byte))
}

/// Protocols 0 and 1 name the service first; protocol 2 does not (gitprotocol-v2(5), "HTTP Transport").
fn preamble(service: Service, protocol: Option<&str>) -> &'static [u8] {
    let newest = protocol
        .into_iter()
        .flat_map(|protocol| protocol.split(':'))
        .filter_map(|item| item.strip_prefix("version="))
        .filter_map(|version| version.parse::<u8>().ok())
        .filter(|version| *version <= 2)
        .max();
    if service == Service::Advertise && newest != Some(2) {
        b"001e# service=git-upload-pack\n0000"
    } else {
        b""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol_two_names_no_service() {
        for (protocol, named) in [
            (None, true),
            (Some("version=0"), true),
            (Some("version=1"), true),
            (Some("version=2"), false),
            (Some("version=1:version=2"), false),
            (Some("key:version=2"), false),
            (Some("version=99"), true),
        ] {
            assert_eq!(
                !preamble(Service::Advertise, protocol).is_empty(),
                named,
                "{protocol:?}"
            );
        }
        assert!(preamble(Service::Upload, None).is_empty());
    }

    #[test]
    fn git_sees_nothing_of_our_environment() {
        let command = command(Path::new("cell.git"), Some("version=2"), Service::Upload);
        let names: Vec<_> = command
            .as_std()
            .get_envs()
            .filter_map(|(name, value)| value.map(|_| name.to_string_lossy().into_owned()))
            .collect();
        assert_eq!(
            names,
            [
                "GIT_CONFIG_GLOBAL",
                "GIT_CONFIG_NOSYSTEM",
                "GIT_NO_LAZY_FETCH",
                "GIT_PROTOCOL",
                "LC_ALL",
                "PATH"
            ]
        );
        assert!(!is_protocol("version=2\nX=1") && !is_protocol("$(id)"));
    }
}
