//! A whole registry as JSON lines, and back: a backup, and the road between back ends.
//!
//! ```text
//! {"coditect":"registry","format":1,"schema":1}
//! {"kind":"account/{a}/profile","key":["6f1c…"],"v":1,"value":{"email":…},"crc":"8d0e6bb1"}
//! {"kind":"cell/{c}/load","key":["local"],"number":3,"crc":"…"}
//! {"kind":"audit/{t}/{version}","key":["09ab…"],"v":1,"value":{"at":…},"crc":"…"}
//! {"end":{"records":3,"consistent":true,"sha256":"…"}}
//! ```
//!
//! - **The same content gives the same bytes**, on every back end: no time, no version, no versionstamp. Records
//!   stand in the order of their keys; those of sequences (audit) follow behind all others, in their order, and
//!   get new stamps where they are imported.
//! - **What is made anew is left out** ([`Export::No`](crate::keys::Export)): feeds, leases, the answers of
//!   requests. An import therefore begins a new epoch, so that everybody who had drawn conclusions from the feeds
//!   begins anew.
//! - **Damage is named by its line**: each has a checksum, the whole has another, and a file that was cut lacks
//!   its last line.
//! - **Memory is flat**: pages are read and written as they come.

mod export;
mod import;
mod line;
mod lines;

pub use export::{Exported, export};
pub(crate) use import::refuse_unfinished;
pub use import::{ImportState, Imported, Progress, Step, import};
pub use line::{FORMAT, SCHEMA};
pub use lines::{Content, verify};
