"""How the tour calls the API: every answer is held to the document, and what was called is remembered."""

import os
import re
import sys
import time

import requests
import schemathesis

from principals import Cluster

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
    if not 200 <= seen.get(label, 0) < 300:
        seen[label] = response.status_code
    return response


def stream(label, path, by):
    """The beginning of a stream, which does not end by itself."""
    with requests.get(URL + path, headers={"Authorization": f"Bearer {by}"}, stream=True, timeout=30) as answer:
        kind = answer.headers["content-type"]
        assert answer.status_code == 200 and kind.startswith("text/event-stream"), (answer.status_code, kind)
        assert next(answer.iter_lines()) is not None
        seen[f"GET {label}"] = answer.status_code


def of(by, **ids):
    """Who calls, and what the path names."""
    return {"by": by, "path_parameters": ids}


def soon(what, look):
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    sys.exit(f"{what} is not there after a minute")


def code_for(address, subject):
    """The code of the newest letter of this subject to the address."""

    def look():
        answer = requests.get(f"{URL}/dev/mailbox", headers={"Accept": "application/json"}, timeout=30)
        answer.raise_for_status()
        for letter in answer.json()["items"]:
            if letter["to"] == address and letter["subject"] == subject:
                return next(re.findall("#code=(.+)$", link)[0] for link in letter["links"] if "#code=" in link)
        return None

    return soon(f"a letter to {address}", look)
