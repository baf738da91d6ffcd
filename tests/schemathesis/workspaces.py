"""What a person does with workspaces, and what the workspaces' gateways do."""

import base64
import hashlib
import uuid

from calls import CLUSTER, URL, call, of, soon, stream
from principals import PASSWORD, Person


def walk():
    person = Person(URL)
    by, here = {"by": person.token}, of(person.token, id=person.workspace)
    call("PUT", "/api/v5/tenant/plan", body={"plan": "pro"}, **by)
    call("GET", "/api/v5/workspaces", query={"limit": 10}, **by)
    made = call("POST", "/api/v5/workspaces", body={"name": "thesis"}, headers={"Idempotency-Key": "one"}, **by).json()["id"]
    call("GET", "/api/v5/workspaces/{id}", **here)
    call("PATCH", "/api/v5/workspaces/{id}", body={"name": "paper"}, **here)
    call("POST", "/api/v5/workspaces/{id}/start", **here)
    call("POST", "/api/v5/workspaces/{id}/connect", **here)
    call("POST", "/api/v5/workspaces/{id}/keep", **here)
    call("PUT", "/api/v5/workspaces/{id}/activity", body={"input_at": "2026-01-01T00:00:00Z"}, **here)
    sha = soon("a commit that holds the workspace", lambda: committed(person))
    call("GET", "/api/v5/workspaces/{id}/history", **here)
    call("GET", "/api/v5/workspaces/{id}/manifests", query={"commit": sha}, **here)
    stream("/api/v5/workspaces/{id}/events", f"/api/v5/workspaces/{person.workspace}/events", person.token)
    stream("/api/v5/workspaces/events", "/api/v5/workspaces/events", person.token)
    gateway(person, here)
    call("POST", "/api/v5/workspaces/{id}/stop", **here)
    other = of(person.token, id=made)
    call("DELETE", "/api/v5/workspaces/{id}", **other)
    call("POST", "/api/v5/workspaces/{id}/restore", **other)
    call("POST", "/api/v5/workspaces/{id}/erase", body={"password": PASSWORD}, **other)


def committed(person):
    commit = person.get(f"/api/v5/workspaces/{person.workspace}").get("commit")
    return commit["sha"] if isinstance(commit, dict) else commit


def gateway(person, here):
    token = CLUSTER.token(person.user, person.workspace)
    credential = call("POST", "/api/v5/sidecar/credential", by=token).json()["credential"]
    by = {"by": credential}
    code = call("POST", "/api/v5/workspaces/{id}/connect", **here).json()["code"]
    call("POST", "/api/v5/sidecar/codes/redeem", body={"code": code}, **by)
    call("GET", "/api/v5/sidecar/access", query={"wait": 0}, **by)
    call("PUT", "/api/v5/sidecar/heartbeat", body={"used": "idle", "sockets": 0, "waiting": 0}, **by)
    files(person, credential, here)
    call("PUT", "/api/v5/sidecar/state", body={"revision": 1, "values": {}}, **by)
    call("GET", "/api/v5/sidecar/state", **by)
    call("POST", "/api/v5/sidecar/llm/chat/completions", **by)


def files(person, credential, here):
    by = {"by": credential}
    text = b"fn main() {}\n"
    sha256 = hashlib.sha256(text).hexdigest()
    call("POST", "/api/v5/sidecar/files/wanted", body={"contents": [{"path": "a.rs", "sha256": sha256}]}, **by)
    event = {
        "kind": "written", "path": "a.rs", "at": "2026-01-01T00:00:00Z", "size": len(text), "sha256": sha256,
        "content": base64.b64encode(text).decode(),
    }
    call("POST", "/api/v5/sidecar/files", body={"queue": str(uuid.uuid4()), "number": 1, "events": [event]}, **by)
    call("GET", "/api/v5/workspaces/{id}/files", **here)
    file = of(person.token, id=person.workspace, path="a.rs")
    versions = call("GET", "/api/v5/workspaces/{id}/files/{path}/snapshots", **file).json()["items"]
    version = of(person.token, id=person.workspace, path="a.rs", snapshot=versions[0]["id"])
    call("GET", "/api/v5/workspaces/{id}/files/{path}/snapshots/{snapshot}", **version)
    asked = call("POST", "/api/v5/workspaces/{id}/files/{path}/snapshots/{snapshot}/restore", **version).json()["id"]
    restore = of(credential, restore=asked)
    call("GET", "/api/v5/sidecar/restores/{restore}", **restore)
    call("POST", "/api/v5/sidecar/restores/{restore}", body={"outcome": "done", "beside": None}, **restore)
    call("GET", "/api/v5/workspaces/{id}/restores", **here)
    call("DELETE", "/api/v5/workspaces/{id}/files/{path}", **file)
