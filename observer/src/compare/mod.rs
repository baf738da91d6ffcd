//! Git = cluster, per user: every object of a user's file against the live one, the scale against the registry,
//! and what the cluster has beyond both.
//!
//! Kinds are listed once, cluster-wide, in pages, side by side in the order of the users, so that memory holds a
//! page a kind whatever the size of the cell. What differs is looked at again for a while: a change may be on
//! its way.

mod cell;
mod fields;
mod foreign;
mod kinds;
mod pages;
mod scalar;
mod shape;
mod user;

pub use self::{
    cell::{Desired, Report, compare},
    fields::{Field, fields},
    kinds::{KINDS, Kind},
    user::{Compared, Difference, Leftover, Live, Wanted, user},
};
