//! An import under way.

use super::key;
use crate::store::Key;

/// `import`: which export was imported, or is being.
#[must_use]
pub(crate) fn import() -> Key {
    key(&("import",))
}
/// `import/progress`: how far an import is.
#[must_use]
pub(crate) fn import_progress() -> Key {
    key(&("import", "progress"))
}
