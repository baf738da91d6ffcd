/** Whether this browser was let in as an administrator: it puts an entry into a menu, and opens nothing. */
const HINT = "coditect.administers";

export function noteAdministers(on: boolean): void {
  try {
    if (on) localStorage.setItem(HINT, "1");
    else localStorage.removeItem(HINT);
  } catch {
    // Storage is off: the address leads there all the same.
  }
}

export function administers(): boolean {
  try {
    return localStorage.getItem(HINT) === "1";
  } catch {
    return false;
  }
}
