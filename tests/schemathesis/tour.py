"""Every operation of the document once as it is meant, each answer held to the document: what a fuzzer reaches by luck."""

import base64
import hashlib
import os
import sys
import time
import uuid

import requests
import schemathesis

from principals import PASSWORD, Cluster, Person

URL = os.environ["CODITECT_URL"]
CLUSTER = Cluster(os.environ["CODITECT_CLUSTER"])
# Without a provider and without language models here there is nothing to be had: what is answered is tried all the same.
ELSEWHERE = {
    "GET /api/v5/auth/{provider}": 404,
    "GET /api/v5/auth/{provider}/callback": 404,
    "POST /api/v5/auth/identity/session": 403,
    "POST /api/v5/me/connections/{provider}": 404,
    "DELETE /api/v5/me/connections/{provider}": 404,
    "POST /api/v5/sidecar/llm/chat/completions": 404,
}

schema = schemathesis.openapi.from_url(f"{URL}/openapi.json")
seen = {}


def call(method, path, by=None, expect=None, cookie=None, body=None, **parts):
    """Calls, and holds the answer to the document."""
    label = f"{method} {path}"
    headers = parts.pop("headers", {})
    if by:
        headers["Authorization"] = f"Bearer {by}"
    if cookie:
        headers["Cookie"] = cookie
    if body is not None:
        parts["body"] = body
        parts["media_type"] = "application/json"
    case = schema[path][method].Case(headers=headers, **parts)
    response = case.call(base_url=URL, timeout=30, allow_redirects=False)
    case.validate_response(response)
    expected = expect or ELSEWHERE.get(label)
    good = response.status_code == expected if expected else 200 <= response.status_code < 300
    if not good:
        sys.exit(f"{label} is answered with {response.status_code}: {response.text[:500]}")
    seen[label] = response.status_code
    return response


def stream(path, by):
    """The beginning of a stream, which does not end by itself."""
    with requests.get(URL + path, headers={"Authorization": f"Bearer {by}"}, stream=True, timeout=30) as answer:
        kind = answer.headers["content-type"]
        assert answer.status_code == 200 and kind.startswith("text/event-stream"), (answer.status_code, kind)
        assert next(answer.iter_lines()) is not None
        return answer.status_code


def strangers():
    body = {"email": f"t{uuid.uuid4().hex}@example.com", "password": PASSWORD, "display_name": "Ada", "terms_version": "1"}
    accepted = call("POST", "/api/v5/auth/register", body=body).json()
    of = {"path_parameters": {"id": accepted["id"]}}
    call("GET", "/api/v5/auth/registrations/{id}", **of)
    call("POST", "/api/v5/auth/registrations/{id}/session", **of)
    login = {"email": body["email"], "password": PASSWORD}
    cookie = call("POST", "/api/v5/auth/login", body=login).headers["set-cookie"][0].split(";")[0]
    call("POST", "/api/v5/auth/refresh", cookie=cookie)
    call("POST", "/api/v5/auth/logout", cookie=cookie)
    call("GET", "/api/v5/auth/providers")
    provider = {"path_parameters": {"provider": "google"}}
    call("GET", "/api/v5/auth/{provider}", **provider)
    call("GET", "/api/v5/auth/{provider}/callback", query={"code": "x", "state": "y"}, **provider)
    call("POST", "/api/v5/auth/identity/session", body={"code": "A" * 96})
    for path in ["/api/v5/plans", "/health", "/health/ready", "/health/fdb", "/metrics", "/.well-known/jwks.json"]:
        call("GET", path)


def committed(person):
    """The commit that holds the person's workspace, once there is one."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        commit = person.get(f"/api/v5/workspaces/{person.workspace}").get("commit")
        if commit:
            return commit["sha"] if isinstance(commit, dict) else commit
        time.sleep(0.2)
    sys.exit("no commit holds the workspace after a minute")


def people():
    person = Person(URL)
    by = {"by": person.token}
    here = {"path_parameters": {"id": person.workspace}, **by}
    call("GET", "/api/v5/me", **by)
    call("PATCH", "/api/v5/me", body={"display_name": "Countess"}, **by)
    call("GET", "/api/v5/me/usage", **by)
    logins = call("GET", "/api/v5/me/logins", **by).json()["items"]
    call("GET", "/api/v5/me/connections", **by)
    provider = {"path_parameters": {"provider": "google"}, **by}
    call("POST", "/api/v5/me/connections/{provider}", body={"password": PASSWORD}, **provider)
    call("DELETE", "/api/v5/me/connections/{provider}", **provider)
    call("PUT", "/api/v5/me/password", body={"current_password": PASSWORD, "new_password": PASSWORD + "!"}, **by)
    call("PUT", "/api/v5/tenant/plan", body={"plan": "pro"}, **by)
    call("GET", "/api/v5/workspaces", query={"limit": 10}, **by)
    made = call("POST", "/api/v5/workspaces", body={"name": "thesis"}, headers={"Idempotency-Key": "one"}, **by).json()["id"]
    call("GET", "/api/v5/workspaces/{id}", **here)
    call("PATCH", "/api/v5/workspaces/{id}", body={"name": "paper"}, **here)
    call("POST", "/api/v5/workspaces/{id}/start", **here)
    call("POST", "/api/v5/workspaces/{id}/connect", **here)
    call("POST", "/api/v5/workspaces/{id}/keep", **here)
    call("PUT", "/api/v5/workspaces/{id}/activity", body={"input_at": "2026-01-01T00:00:00Z"}, **here)
    sha = committed(person)
    call("GET", "/api/v5/workspaces/{id}/history", **here)
    call("GET", "/api/v5/workspaces/{id}/manifests", query={"commit": sha}, **here)
    seen["GET /api/v5/workspaces/{id}/events"] = stream(f"/api/v5/workspaces/{person.workspace}/events", person.token)
    seen["GET /api/v5/workspaces/events"] = stream("/api/v5/workspaces/events", person.token)
    gateways(person, here)
    call("POST", "/api/v5/workspaces/{id}/stop", **here)
    other = {"path_parameters": {"id": made}, **by}
    call("DELETE", "/api/v5/workspaces/{id}", **other)
    call("POST", "/api/v5/workspaces/{id}/restore", **other)
    call("POST", "/api/v5/workspaces/{id}/erase", body={"password": PASSWORD + "!"}, **other)
    call("DELETE", "/api/v5/me", body={"password": PASSWORD + "!", "mode": "grace"}, **by)
    call("POST", "/api/v5/me/restore", **by)
    call("DELETE", "/api/v5/me/logins/{id}", path_parameters={"id": logins[0]["id"]}, **by)


def gateways(person, here):
    token = CLUSTER.token(person.user, person.workspace)
    credential = call("POST", "/api/v5/sidecar/credential", by=token).json()["credential"]
    by = {"by": credential}
    code = call("POST", "/api/v5/workspaces/{id}/connect", **here).json()["code"]
    call("POST", "/api/v5/sidecar/codes/redeem", body={"code": code}, **by)
    call("GET", "/api/v5/sidecar/access", query={"wait": 0}, **by)
    call("PUT", "/api/v5/sidecar/heartbeat", body={"used": "idle", "sockets": 0, "waiting": 0}, **by)
    text = b"fn main() {}\n"
    sha256 = hashlib.sha256(text).hexdigest()
    call("POST", "/api/v5/sidecar/files/wanted", body={"contents": [{"path": "a.rs", "sha256": sha256}]}, **by)
    event = {
        "kind": "written", "path": "a.rs", "at": "2026-01-01T00:00:00Z", "size": len(text), "sha256": sha256,
        "content": base64.b64encode(text).decode(),
    }
    call("POST", "/api/v5/sidecar/files", body={"queue": str(uuid.uuid4()), "number": 1, "events": [event]}, **by)
    call("GET", "/api/v5/workspaces/{id}/files", **here)
    file = {"by": here["by"], "path_parameters": {"id": person.workspace, "path": "a.rs"}}
    versions = call("GET", "/api/v5/workspaces/{id}/files/{path}/snapshots", **file).json()["items"]
    version = {"by": here["by"], "path_parameters": {"id": person.workspace, "path": "a.rs", "snapshot": versions[0]["id"]}}
    call("GET", "/api/v5/workspaces/{id}/files/{path}/snapshots/{snapshot}", **version)
    asked = call("POST", "/api/v5/workspaces/{id}/files/{path}/snapshots/{snapshot}/restore", **version).json()["id"]
    restore = {"path_parameters": {"restore": asked}, **by}
    call("GET", "/api/v5/sidecar/restores/{restore}", **restore)
    call("POST", "/api/v5/sidecar/restores/{restore}", body={"outcome": "done", "beside": None}, **restore)
    call("GET", "/api/v5/workspaces/{id}/restores", **here)
    call("DELETE", "/api/v5/workspaces/{id}/files/{path}", **file)
    call("PUT", "/api/v5/sidecar/state", body={"revision": 1, "values": {}}, **by)
    call("GET", "/api/v5/sidecar/state", **by)
    call("POST", "/api/v5/sidecar/llm/chat/completions", **by)


def main():
    strangers()
    people()
    operations = {operation.ok().label for operation in schema.get_all_operations()}
    missing = operations - seen.keys()
    if missing:
        sys.exit("the tour does not call " + ", ".join(sorted(missing)))
    kept = sorted(label for label, status in seen.items() if not 200 <= status < 300)
    if kept != sorted(ELSEWHERE):
        sys.exit(f"not answered with 2xx: {kept}")
    print(f"tour: {len(seen) - len(kept)} of {len(seen)} operations answered with 2xx, {len(kept)} as they are without a provider or a model")


main()
