// Signs a person up and shows their workspaces. The access token lives in this page only.
const api = "/api/v5";
const at = (id) => document.getElementById(id);
let token = null;
let signingUp = true;
const streams = new Map();

class Problem extends Error {
  constructor(body) { super(body.detail ?? body.title ?? "The server did not answer."); this.body = body; }
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
  let response = await request();
  if (response.status === 401 && token && await refresh()) response = await request();
  const text = await response.text();
  const answer = text ? JSON.parse(text) : null;
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
  const { items } = await call("GET", "/workspaces");
  at("workspaces").replaceChildren(...items.map(card));
  for (const workspace of items) follow(workspace.id);
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function card(workspace) {
  const made = element("div", { className: "card", id: `w-${workspace.id}` });
  fill(made, workspace);
  return made;
}

function fill(made, workspace) {
  const phase = element("span", { className: "phase", textContent: workspace.phase });
  phase.dataset.phase = workspace.phase;
  const facts = element("dl");
  const fact = (name, value) => value != null && facts.append(element("dt", { textContent: name }), element("dd", { className: "mono", textContent: value }));
  fact("Address", workspace.url);
  fact("Commit", workspace.commit ?? "on its way");
  const took = workspace.timeline.request_to_commit_ms;
  fact("Request to commit", took == null ? null : `${took} ms`);
  fact("Volume", `${workspace.storage.gib} Gi, ${workspace.storage.class}`);
  fact("Power", workspace.power.wanted);
  fact("Deleted at", workspace.deletes_at);
  fact("Reason", workspace.reason);
  const act = (text, method, path) => element("button", {
    type: "button",
    textContent: text,
    onclick: async () => { try { await call(method, `/workspaces/${workspace.id}${path}`); } catch (error) { say(error.message); } },
  });
  const row = element("div", { className: "row" });
  if (workspace.deletes_at) row.append(act("Restore", "POST", "/restore"));
  else row.append(
    workspace.power.wanted === "on" ? act("Stop", "POST", "/stop") : act("Start", "POST", "/start"),
    act("Delete", "DELETE", ""),
  );
  made.replaceChildren(element("strong", { textContent: workspace.name }), " ", phase, facts, row);
}

/** The text of a streamed answer, piece by piece (not every browser iterates over streams). */
async function* pieces(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
}

// A streamed fetch, because EventSource cannot send the access token.
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
      let rest = "";
      for await (const chunk of pieces(response)) {
        const events = (rest + chunk).split("\n\n");
        rest = events.pop();
        for (const text of events) {
          const lines = Object.fromEntries(text.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
          if (lines.event === "workspace") { last = lines.id; const made = at(`w-${id}`); if (made) fill(made, JSON.parse(lines.data)); }
          if (lines.event === "end") {
            const { reason } = JSON.parse(lines.data);
            if (reason === "deleted") return gone(id);
            if (reason === "signed_out") return show(false);
            if (reason === "expired" && !await refresh()) return;
          }
        }
      }
    } catch (error) {
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
if (await refresh()) await enter();
