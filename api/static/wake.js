// Wakes a workspace by a person's click, and goes there when it is ready. The access token lives in this page.
const api = "/api/v5";
const at = (id) => document.getElementById(id);
const slug = location.pathname.split("/").pop();
let token = null;
let workspace = null;
// Only whoever clicked is taken there: nobody is sent to and fro between two pages.
let clicked = false;

const say = (text) => { at("status").textContent = text; };

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
  let cursor = null;
  do {
    const response = await call("GET", `/workspaces?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    if (!response.ok) throw new Error((await response.json()).detail);
    const page = await response.json();
    const found = page.items.find((item) => item.slug === slug);
    if (found) return found;
    cursor = page.next_cursor;
  } while (cursor);
  return null;
}

function show(next) {
  workspace = next;
  at("workspace").hidden = false;
  at("name").textContent = workspace.name;
  at("phase").textContent = workspace.phase;
  at("phase").dataset.phase = workspace.phase;
  const { reason } = workspace;
  at("reason").textContent = reason ? `${reason.detail}: ${reason.remedy}.` : "";
  const on = workspace.power.wanted === "on";
  at("wake").hidden = on || workspace.phase === "deleting";
  at("open").hidden = workspace.phase !== "ready";
  if (workspace.url) at("open").href = workspace.url;
  if (workspace.phase === "deleting") say("It is marked for deletion. Restore it among your workspaces first.");
  else if (workspace.phase === "ready") say("It is running.");
  else if (workspace.phase === "failed") say("It does not start.");
  else say(on ? "It is starting…" : "It is asleep. Its files are kept.");
  if (clicked && workspace.phase === "ready" && workspace.url) location.assign(workspace.url);
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
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        let rest = "";
        for (let read = await reader.read(); !read.done; read = await reader.read()) {
          const events = (rest + read.value).split("\n\n");
          rest = events.pop();
          for (const text of events) {
            const lines = Object.fromEntries(text.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
            if (lines.event === "workspace") { last = lines.id; show(JSON.parse(lines.data)); }
          }
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
  clicked = true;
  at("wake").disabled = true;
  say("Waking it…");
  const response = await call("POST", `/workspaces/${workspace.id}/start`).catch(() => null);
  at("wake").disabled = false;
  if (response?.ok) return show(await response.json());
  clicked = false;
  say((await response?.json().catch(() => null))?.detail ?? "The server does not answer; try again.");
});

at("credentials").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { email, password } = event.target.elements;
  const response = await fetch(`${api}/auth/login`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ email: email.value, password: password.value }),
  });
  const answer = await response.json();
  if (!response.ok) return say(answer.detail);
  password.value = "";
  token = answer.access_token;
  await enter();
});

try {
  if (await refresh()) await enter();
  else door();
} catch (error) {
  say(`${error.message ?? "The server does not answer"}; load the page again.`);
}
