// Signs a person up and shows their workspaces. The access token lives in this page only.
import { all, events, phases, sentence, why } from "./workspace.js";

const api = "/api/v5";
const at = (id) => document.getElementById(id);
let token = null;
let signingUp = true;
const streams = new Map();

class Problem extends Error {
  constructor(body) { super(sentence(body.detail ?? body.title ?? "the server does not answer; try again")); this.body = body; }
}

async function call(method, path, body, headers = {}) {
  const request = () => fetch(path.startsWith("/api") ? path : api + path, {
    method,
    headers: {
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  let response;
  try {
    response = await request();
    if (response.status === 401 && token && await refresh()) response = await request();
  } catch {
    throw new Problem({});
  }
  // What stands between may answer in another format.
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Problem(answer ?? {});
  return answer;
}

async function refresh() {
  const response = await fetch(`${api}/auth/refresh`, { method: "POST" });
  token = response.ok ? (await response.json()).access_token : null;
  if (!token) show(false);
  return token !== null;
}

function say(text) { at("status").textContent = text; }

function show(inside) {
  at("door").hidden = inside;
  at("inside").hidden = !inside;
  if (!inside) { for (const stream of streams.values()) stream.abort(); streams.clear(); at("workspaces").replaceChildren(); }
}

function explain(form, error) {
  for (const note of form.querySelectorAll(".error")) note.textContent = "";
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  if (!error) return;
  let placed = false;
  for (const { field, detail } of error.body?.errors ?? []) {
    const note = at(`${field}-error`);
    if (!note) continue;
    note.textContent = `This ${detail}.`;
    at(field).setAttribute("aria-invalid", "true");
    if (!placed) at(field).focus();
    placed = true;
  }
  if (!placed) say(error.message);
}

at("switch").addEventListener("click", () => {
  signingUp = !signingUp;
  at("door-title").textContent = at("submit").textContent = signingUp ? "Sign up" : "Sign in";
  at("switch").textContent = signingUp ? "I have an account" : "I have none yet";
  at("password").autocomplete = signingUp ? "new-password" : "current-password";
  at("name-field").hidden = at("password-hint").hidden = !signingUp;
  explain(at("credentials"), null);
});

at("credentials").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const value = (name) => form.elements[name].value;
  explain(form, null);
  say("");
  at("submit").disabled = true;
  try {
    const signedIn = signingUp
      ? await signUp({ email: value("email"), password: value("password"), display_name: value("display_name") })
      : await call("POST", "/auth/login", { email: value("email"), password: value("password") });
    if (!signedIn) return;
    form.elements.password.value = "";
    token = signedIn.access_token;
    say("");
    await enter();
  } catch (error) {
    explain(form, error);
  } finally {
    at("submit").disabled = false;
  }
});

async function signUp(person) {
  const accepted = await call("POST", "/auth/register", person, { "Idempotency-Key": crypto.randomUUID() });
  say("Accepted…");
  for (let tries = 0; tries < 20; tries++) {
    const registration = await call("GET", accepted.status_url);
    if (registration.state === "complete") return call("POST", registration.session_url);
    await new Promise((done) => setTimeout(done, 250));
  }
  say("Check your mail to go on. If you have an account already, sign in.");
  return null;
}

async function enter() {
  show(true);
  const items = await all((path) => call("GET", path), "/workspaces");
  at("workspaces").replaceChildren(...items.map(card));
  for (const workspace of items) follow(workspace.id);
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function card(workspace) {
  const made = element("section", { className: "card", id: `w-${workspace.id}` });
  fill(made, workspace);
  return made;
}

const causes = {
  idle: "because nobody used it", hours: "because the hours of this month are used up", longest_session: "because it ran for long without anybody at it",
  deletion: "because it is marked for deletion", restored: "because it was restored from Git; wake it when you like", sign_up: "since you signed up",
};

const notices = {
  idle: ({ until }) => `Nobody has used it for a while. It goes to sleep${until ? ` at ${clock(until)}` : ""} unless you keep it; its files are kept.`,
  hours: ({ until }) => `The hours of this month are nearly used up. It goes to sleep${until ? ` at ${clock(until)}` : " then"}; its files are kept.`,
  activity_unknown: () => "Whether it is used cannot be seen now, so it does not go to sleep for want of use.",
  drift: () => "Somebody changed it in the cluster by hand. It was put back.",
  quarantined: () => "The cluster refused its newest version. The last good one stands.",
  restart_pending: ({ until }) => `A change waits for its next start${until ? `, at the latest ${clock(until)}` : ""}.`,
  volume_growing: () => "Its volume grows. You can go on working.",
};

function clock(time) {
  return new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

function lasted(milliseconds) {
  if (milliseconds < 1000) return `${milliseconds} ms`;
  const seconds = milliseconds / 1000;
  return seconds < 90 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`;
}

/** The steps of the present road, each with the time that it took. */
function road({ timeline }) {
  const list = element("ol", { className: "road", ariaLabel: "How it came here" });
  timeline.steps.forEach((step, index) => list.append(element("li", { title: clock(step.at) },
    phases[step.phase] ?? step.phase, index ? element("span", { className: "hint", textContent: ` ${lasted(step.took_ms)}` }) : "")));
  return list;
}

function fill(made, workspace) {
  const phase = element("span", { className: "phase", textContent: phases[workspace.phase] ?? workspace.phase });
  phase.dataset.phase = workspace.phase;
  const told = element("div");
  if (workspace.reason) told.append(element("p", { className: "error", textContent: why(workspace) }));
  const facts = element("dl");
  const fact = (name, value, mono = "") => value != null && facts.append(element("dt", { textContent: name }), element("dd", { className: mono }, value));
  fact("Address", workspace.url && element("a", { href: workspace.url, textContent: workspace.url }), "mono");
  fact("Commit", workspace.commit ?? "on its way", workspace.commit ? "mono" : "");
  fact("Volume", `${workspace.storage.gib} GiB, ${workspace.storage.class}`);
  fact("Power", [workspace.power.wanted, causes[workspace.power.cause]].filter(Boolean).join(", "));
  fact("Deleted at", workspace.deletes_at && clock(workspace.deletes_at));
  const act = (text, method, path) => element("button", {
    type: "button",
    textContent: text,
    ariaLabel: `${text}: ${workspace.name}`,
    onclick: async () => {
      say("");
      try { await call(method, `/workspaces/${workspace.id}${path}`); } catch (error) { say(error.message); }
    },
  });
  for (const notice of workspace.notices) {
    const line = element("p", { className: "notice" }, notices[notice.kind]?.(notice) ?? notice.kind);
    if (notice.detail) line.append(element("span", { className: "hint", textContent: ` ${sentence(notice.detail)}` }));
    if (notice.kind === "idle") line.append(" ", act("Keep", "POST", "/keep"));
    told.append(line);
  }
  const row = element("div", { className: "row" });
  if (workspace.deletes_at) row.append(act("Restore", "POST", "/restore"));
  else row.append(
    workspace.power.wanted === "on" ? act("Put to sleep", "POST", "/stop") : act("Wake", "POST", "/start"),
    act("Delete", "DELETE", ""),
  );
  // Whoever works by keyboard stays where they were, or comes to what took that place.
  const held = made.contains(document.activeElement) ? document.activeElement : null;
  const place = [...made.querySelectorAll(".row button")].indexOf(held);
  const name = element("h3", { textContent: workspace.name, tabIndex: -1 });
  made.replaceChildren(name, " ", phase, told, road(workspace), facts, row);
  made.ariaLabel = workspace.name;
  if (held) ([...made.querySelectorAll("a, button")].find((one) => one.textContent === held.textContent) ?? row.children[place] ?? name).focus();
  // Heard, not shown twice.
  if (made.dataset.phase && made.dataset.phase !== workspace.phase) at("news").textContent = `${workspace.name}: ${phase.textContent}`;
  made.dataset.phase = workspace.phase;
}

async function follow(id) {
  let last = null;
  const stop = new AbortController();
  streams.get(id)?.abort();
  streams.set(id, stop);
  while (!stop.signal.aborted) {
    try {
      const response = await fetch(`${api}/workspaces/${id}/events`, {
        headers: { Authorization: `Bearer ${token}`, ...(last ? { "Last-Event-ID": last } : {}) },
        signal: stop.signal,
      });
      if (response.status === 401) { if (await refresh()) continue; return; }
      if (response.status === 404) return gone(id);
      if (!response.ok) throw new Error(response.statusText);
      for await (const { event, id: seen, data } of events(response)) {
        if (event === "workspace") { last = seen; const made = at(`w-${id}`); if (made) fill(made, data); }
        if (event === "end") {
          if (data.reason === "deleted") return gone(id);
          if (data.reason === "signed_out") return show(false);
          if (data.reason === "expired" && !await refresh()) return;
        }
      }
    } catch {
      if (stop.signal.aborted) return;
    }
    await new Promise((done) => setTimeout(done, 1000));
  }
}

function gone(id) { streams.delete(id); at(`w-${id}`)?.remove(); }

at("create").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  explain(form, null);
  say("");
  try {
    const workspace = await call("POST", "/workspaces", { name: form.elements.name.value }, { "Idempotency-Key": crypto.randomUUID() });
    form.reset();
    at("workspaces").append(card(workspace));
    follow(workspace.id);
  } catch (error) {
    explain(form, error);
  }
});

at("sign-out").addEventListener("click", async () => {
  await call("POST", "/auth/logout").catch(() => {});
  token = null;
  show(false);
  say("Signed out.");
});

// Come back signed in if the browser still has the refresh cookie.
try {
  if (await refresh()) await enter();
} catch (error) {
  say(error instanceof Problem ? error.message : "The server does not answer; load the page again.");
}
