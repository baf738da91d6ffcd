"use strict";
(() => {
  // Comes back as soon as there is something to show. Whoever is no longer in is sent to enter again by that.
  const again = async () => {
    try {
      const answer = await fetch("/coditect/ide", { credentials: "same-origin", cache: "no-store" });
      if (answer.status === 401) return location.reload();
      if (answer.ok && (await answer.json()).state === "ready") return location.reload();
    } catch {
      // Not there at all: asked again.
    }
    setTimeout(again, 500);
  };
  setTimeout(again, 500);
})();
