// Wakes a workspace by a person's click, and goes there when it is ready. The access token lives in this page.
import { all, events, phases, sentence, why } from "./workspace.js";

const api = "/api/v5";
const at = (id) => document.getElementById(id);
const slug = location.pathname.split("/").pop();
let token = null;
let workspace = null;
// Only whoever clicked is taken there: nobody is sent to and fro between two pages.
let clicked = false;
let waking = false;
const away = "The server does not answer; try again.";

const say = (text) => { at("status").textContent = sentence(text); };
// A call that reaches nobody fails with a TypeError, in each browser's own words.
const excuse = (error) => say(error instanceof TypeError || !error.message ? away : error.message);

async function refresh() {
  const response = await fetch(`${api}/auth/refresh`, { method: "POST" });
  token = response.ok ? (await response.json()).access_token : null;
  return token !== null;
}

async function call(method, path, headers = {}) {
  const request = () => fetch(api + path, { method, headers: { Authorization: `Bearer ${token}`, ...headers } });
  const response = await request();
  return response.status === 401 && await refresh() ? request() : response;
}

async function find() {
  const items = await all(async (path) => {
    const response = await call("GET", path);
    const page = await response.json().catch(() => null);
    if (!response.ok) throw new Error(page?.detail);
    return page;
  }, "/workspaces");
  return items.find((item) => item.slug === slug) ?? null;
}

function state({ phase, power }) {
  if (phase === "deleting") return "It is marked for deletion. Restore it among your workspaces first.";
  if (power.wanted === "off") return ["starting", "ready", "suspending"].includes(phase) ? "It is going to sleep. Its files are kept." : "It is asleep. Its files are kept.";
  if (phase === "failed") return "It cannot run. Its files are kept.";
  return phase === "ready" ? "It is running." : "It is starting…";
}

function show(next) {
  workspace = next;
  const clicking = document.activeElement === at("wake");
  at("workspace").hidden = false;
  at("name").textContent = workspace.name;
  at("phase").textContent = phases[workspace.phase] ?? workspace.phase;
  at("phase").dataset.phase = workspace.phase;
  at("reason").textContent = why(workspace);
  at("wake").hidden = workspace.power.wanted === "on" || workspace.phase === "deleting";
  const ready = workspace.phase === "ready" && workspace.power.wanted === "on" && workspace.url;
  at("open").hidden = !ready;
  if (workspace.url) at("open").href = workspace.url;
  say(state(workspace));
  // The button goes away under whoever pressed it.
  if (clicking && at("wake").hidden) (ready ? at("open") : at("name")).focus();
  if (clicked && ready) location.assign(workspace.url);
}

/** Shows every change; goes on until the page is left. */
async function follow() {
  let last = null;
  for (;;) {
    try {
      const response = await call("GET", `/workspaces/${workspace.id}/events`, last ? { "Last-Event-ID": last } : {});
      if (response.status === 401) return door();
      if (response.status === 404) { at("workspace").hidden = true; return say("This workspace is gone."); }
      if (response.ok) {
        for await (const { event, id, data } of events(response)) {
          if (event === "workspace") { last = id; show(data); }
        }
      }
    } catch { /* away for a moment */ }
    await new Promise((done) => setTimeout(done, 1000));
  }
}

function door() {
  at("workspace").hidden = true;
  at("door").hidden = false;
  say("Sign in to wake your workspace.");
}

async function enter() {
  at("door").hidden = true;
  const found = await find();
  // Whose it is, or whether there is one, is nobody else's business.
  if (!found) return say("You have no workspace of this address.");
  show(found);
  await follow();
}

at("wake").addEventListener("click", async () => {
  if (waking) return;
  clicked = waking = true;
  say("Waking it…");
  const response = await call("POST", `/workspaces/${workspace.id}/start`).catch(() => null);
  waking = false;
  if (response?.ok) return show(await response.json());
  clicked = false;
  say((await response?.json().catch(() => null))?.detail ?? away);
});

at("credentials").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { email, password } = event.target.elements;
  try {
    const response = await fetch(`${api}/auth/login`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ email: email.value, password: password.value }),
    });
    const answer = await response.json().catch(() => null);
    if (!response.ok) return say(answer?.detail ?? away);
    password.value = "";
    token = answer.access_token;
    await enter();
  } catch (error) {
    excuse(error);
  }
});

try {
  if (await refresh()) await enter();
  else door();
} catch (error) {
  excuse(error);
}
