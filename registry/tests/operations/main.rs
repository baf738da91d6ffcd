//! The registry's operations over the in-memory store: what each touches, and that it happens once.

mod deletion;
mod feeds;
mod sign_up;
mod support;
mod workspaces;
