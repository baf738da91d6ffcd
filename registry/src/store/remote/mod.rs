//! One machine's store for several processes: the one that has the file serves it at a Unix socket, the
//! others run their transactions against it.
//!
//! Transactions run on the client: it reads at a snapshot that the server holds for it, keeps its own
//! writes, and sends everything at commit. So a client that is stopped or dies leaves nothing behind but
//! a snapshot, which the server lets go of by itself. The socket is its owner's alone (mode 0600): whoever
//! can open it can open the file as well.

mod client;
mod connection;
mod message;
mod server;
mod wire;

pub use client::RemoteStore;
pub use server::{Server, serve};

/// Whether a frame is a message, read as both sides of the socket do: for tests of hostile bytes.
#[must_use]
pub fn is_message(frame: &[u8]) -> bool {
    message::Request::decode(frame).is_ok() || message::Response::decode(frame).is_ok()
}
