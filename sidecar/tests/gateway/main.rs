//! The gateway between real sockets: a browser's requests on one side, an IDE and the API on the other.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod differential;
mod entry;
mod files;
mod forward;
mod hostile;
mod ide;
mod origin;
mod program;
mod shapes;
mod socket;
mod stop;
mod tabs;
mod world;
