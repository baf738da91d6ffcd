"use strict";
(() => {
  // The web app's page that framed or opened this one, and no other, hands over the one-time code. Nothing that is
  // worth anything ever stands in an address.
  const app = document.querySelector("meta[name=web-app]").content;
  const framed = window.parent !== window;
  let asker = framed ? window.parent : window.opener;
  // Whoever has an opener can lead it elsewhere, to a page that looks like it. What runs in a workspace has none: it is
  // given up here for all that this tab will ever show.
  window.opener = null;
  const element = (id) => document.getElementById(id);
  const show = (title, text) => {
    element("title").textContent = title;
    element("text").textContent = text;
    element("way").hidden = false;
  };
  const ready = () => {
    element("title").textContent = "Opening your workspace";
    element("text").textContent = "One moment.";
    element("way").hidden = true;
    tell({ type: "coditect:ready" });
  };
  const tell = (message) => asker.postMessage({ version: 1, ...message }, app);
  const ask = async (method, path, body) => {
    try {
      return await fetch(path, {
        method, body, credentials: "same-origin", cache: "no-store", redirect: "error",
        headers: body ? { "content-type": "application/json" } : {},
      });
    } catch {
      return undefined;
    }
  };
  // Without it no IDE starts. Browsers that keep no cookie here may keep no storage either, and the other way round.
  const hasStorage = () => {
    try {
      return localStorage !== null;
    } catch {
      return false;
    }
  };
  const enter = async (code, renew) => {
    const answer = await ask("POST", "/coditect/enter", JSON.stringify({ code }));
    if (!answer?.ok) {
      tell({ type: "coditect:refused", status: answer?.status ?? 0 });
      show("This did not work", "Go back to the web app and try again.");
      return;
    }
    const { expires_in } = await answer.json();
    const kept = await ask("GET", "/coditect/session");
    if (!kept?.ok || !hasStorage()) {
      tell({ type: "coditect:no-cookie" });
      show("Your browser keeps no cookie for a page within a page", "Open the workspace in a tab of its own from the web app.");
      return;
    }
    tell({ type: "coditect:entered", expires_in });
    if (!renew) location.replace("/" + location.hash);
  };
  let busy = false;
  addEventListener("message", async (event) => {
    if (event.origin !== app || busy) return;
    const { type, code, renew } = event.data ?? {};
    if (!asker && type === "coditect:here") {
      // The page that opened this tab is still there, and says so to whatever the tab shows.
      asker = event.source;
      ready();
      return;
    }
    if (event.source !== asker) return;
    if (type !== "coditect:code" || typeof code !== "string") return;
    busy = true;
    await enter(code, renew === true);
    busy = false;
  });
  if (asker) ready();
  else show("Open it from your workspaces", "This address opens a workspace only from the web app, where you are signed in.");
})();
