//! `docs/registry-keys.md` says what the layout says. `UPDATE_KEYS=1 cargo test -p coditect-registry --test operations
//! document` writes it anew.

use std::{env, fmt::Write, fs, path::Path};

use coditect_registry::keys::{self, Export, KeyKind, OnErasure};

const HEAD: &str = "\
# Keys of the registry

Written from `keys::layout()` (`registry/src/keys/layout.rs`) by
`UPDATE_KEYS=1 cargo test -p coditect-registry --test operations document`; a test compares the two, and another one
compares the layout with what operations write.

A key is a tuple in FoundationDB's encoding: the words of the pattern as texts, the parts in braces as ids (UUIDs),
names (texts), numbers, or versionstamps (`{version}`). All of them lie below one prefix that the back end adds, if it
is configured to. `keys::parse` names the kind of a key, `record::inspect` shows a value. A value is one byte of schema
version and JSON; numbers that are added to atomically are eight bytes, little-endian.

- **Kept**: how long one is there. What expires has an entry under `expiry/…`, by which the janitor finds it.
- **Export**: *yes*, as it is; *in order*, without its versionstamp, and appended anew on import; *no*, it is made anew.
- **Erasure** of the person concerned: *removed* in the same transaction; *with the last user* of the tenant; *kept*,
  and why; – of nobody in particular. A history of more than 50,000 messages and a workspace's files above 10,000 lose in
  that transaction whatever leads to them, and go in slices within minutes (`purge/{t}/{id}`), so that nobody waits for it.

Two places differ from what one might expect. Files lie below their workspace, because two workspaces of one user may
both have a `src/main.rs`, and because they go when it goes. A licence is the tenant's, as the plan is: one fact, not
one for each of its users.

| Key | Written by | Read by | How many | Kept | Export | Erasure |
| --- | --- | --- | --- | --- | --- | --- |
";

fn document() -> String {
    let mut text = HEAD.to_owned();
    for kind in keys::layout() {
        let KeyKind {
            pattern,
            writer,
            reader,
            growth,
            retention,
            ..
        } = kind;
        let export = match kind.export {
            Export::Yes => "yes",
            Export::No => "no",
            Export::AsSequence => "in order",
        };
        let erasure = match kind.erasure {
            OnErasure::Removed => "removed".to_owned(),
            OnErasure::WithTheLastUser => "with the last user".to_owned(),
            OnErasure::Kept(why) => format!("kept: {why}"),
            OnErasure::NotPersonal => "–".to_owned(),
        };
        writeln!(
            text,
            "| `{pattern}` | {writer} | {reader} | {growth} | {retention} | {export} | {erasure} |"
        )
        .unwrap();
    }
    text
}

#[test]
fn the_document_says_what_the_layout_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/registry-keys.md");
    #[allow(
        clippy::disallowed_methods,
        reason = "how a person asks for it to be written anew"
    )]
    let update = env::var_os("UPDATE_KEYS").is_some();
    if update {
        fs::write(&path, document()).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == document(),
        "docs/registry-keys.md is not what the layout says; run \
         UPDATE_KEYS=1 cargo test -p coditect-registry --test operations document"
    );
}
