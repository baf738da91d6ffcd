// Asks how the workspace stands and goes there when a pod answers. Asking wakes nothing.
const shown = document.documentElement.dataset.state;
const soon = shown === "starting" || shown === "suspending" || shown === "unknown";
// A tab that nobody looks at asks nothing; one that waits for a person asks rarely.
let pause = soon ? 500 : 5000;
async function ask() {
  if (document.visibilityState === "visible") {
    try {
      const answer = await fetch("STATE_PATH", { cache: "no-store", credentials: "omit", redirect: "manual" });
      const state = answer.headers.get("coditect-wake");
      // Without our word it is a pod's answer, or a proxy's failure, which passes.
      if (state ? state !== shown : answer.status < 400 || [401, 403, 404].includes(answer.status)) {
        location.reload();
        return;
      }
    } catch { /* away for a moment */ }
    pause = Math.min(pause * 1.3, soon ? 4000 : 30000);
  }
  setTimeout(ask, pause);
}
if (shown !== "missing") setTimeout(ask, pause);
