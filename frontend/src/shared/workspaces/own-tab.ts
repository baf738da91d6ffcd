import { connect } from "@/shared/api/workspace";
import { asProblem } from "@/shared/api/problem";
import { say } from "@/shared/lib/announce";

/** How often the tab is told that this page is still there, in milliseconds. */
const HERE = 2_000;

/**
 * Opens a workspace's page in a tab of its own, for browsers that keep no cookie for a page within a page, and hands it
 * a one-time code whenever it asks, as long as this page is open. `origin` is the workspace's own; nobody else is answered.
 *
 * The tab gives up its hold of this page as it begins, so that nothing that runs in a workspace can lead this page
 * elsewhere; whenever it comes back to the door it knows us by what we say.
 */
export function openAlone(workspace: string, origin: string): void {
  const tab = window.open(`${origin}/coditect/enter`, "_blank");
  if (!tab) {
    say("The browser did not open a tab. Allow this page to open one, then try again.", "bad");
    return;
  }
  const onMessage = (event: MessageEvent<{ type?: unknown } | null>) => {
    if (event.origin !== origin || event.source !== tab || event.data?.type !== "coditect:ready") return;
    connect(workspace).then(
      (made) => {
        if (made) tab.postMessage({ type: "coditect:code", code: made.code, renew: false }, origin);
        else say("The editor cannot be entered here yet: this server hands out no codes for workspaces.", "bad");
      },
      (error: unknown) => { say(asProblem(error).message, "bad"); },
    );
  };
  addEventListener("message", onMessage);
  const here = setInterval(() => {
    if (!tab.closed) { tab.postMessage({ type: "coditect:here" }, origin); return; }
    clearInterval(here);
    removeEventListener("message", onMessage);
  }, HERE);
}
