"""What the fuzzer is told beside the document: who calls, which ids exist, and to count."""

import atexit
import collections
import json
import os
import random
import threading
import time

import schemathesis

from principals import PASSWORD, Cluster, Person, administrator

URL = os.environ["CODITECT_URL"]
CLUSTER = Cluster(os.environ["CODITECT_CLUSTER"])
# An access token lasts five minutes; somebody new comes well before.
FRESH = 60
ADMINISTRATORS = "/api/v5/admin/"
# Which of a caller's ids is meant where a path says `{id}`, by the path's beginning.
IDS = {
    "/api/v5/workspaces/{id}": lambda person: person.workspace,
    "/api/v5/auth/registrations/{id}": lambda person: person.registration,
    "/api/v5/sessions/{id}": lambda person: person.session,
    "/api/v5/tenants/{id}": lambda person: person.tenant,
    "/api/v5/tenant/members/{id}": lambda person: person.user,
    "/api/v5/admin/users/{id}": lambda person: person.user,
}
SCHEMES = {"access_token": lambda person: person.token, "gateway_credential": lambda person: person.credential}

lock = threading.RLock()
here = threading.local()
statuses = collections.Counter()
by_operation = collections.defaultdict(collections.Counter)


def person():
    """The present caller of this thread: somebody new now and then, and whenever the one before is gone."""
    one = getattr(here, "person", None)
    if one is None or time.monotonic() - one.born > FRESH:
        one = Person(URL)
        one.credential = one.gateway(CLUSTER)
        one.session = one.post("/api/v5/sessions", {"workspace": one.workspace, "state": {}})["id"]
        here.person = one
    return one


def administrators_token():
    """The administrator's token, new every minute."""
    token, since = getattr(here, "administrator", (None, 0))
    if time.monotonic() - since > FRESH or token is None:
        token = administrator(URL)
        here.administrator = (token, time.monotonic())
    return token


def scheme(case):
    needed = case.operation.definition.raw.get("security") or [{}]
    return next(iter(needed[0]), None)


@schemathesis.auth(refresh_interval=None)
class Caller:
    def get(self, case, context):
        kind = scheme(case)
        if kind == "pod_token":
            return CLUSTER.token(person().user, person().workspace)
        if case.operation.path.startswith(ADMINISTRATORS):
            return administrators_token()
        return SCHEMES[kind](person()) if kind in SCHEMES else None

    def set(self, case, data, context):
        if data is not None:
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Ids that exist, for what is meant to be right: of made-up ones nothing is learnt but 404."""
    mode = case.meta and case.meta.generation.mode
    if mode is None or not mode.is_positive or random.random() < 0.2:
        return
    one = person()
    if "id" in (case.path_parameters or {}):
        for path, of in IDS.items():
            if case.path.startswith(path):
                case.path_parameters["id"] = of(one)
    if isinstance(case.body, dict):
        for name in ("password", "current_password"):
            if name in case.body and "auth" not in case.path:
                case.body[name] = PASSWORD


@schemathesis.hook
def after_call(context, case, response):
    with lock:
        statuses[response.status_code] += 1
        by_operation[case.operation.label][response.status_code] += 1
    # Erased, held, signed out, or shut out: somebody new comes.
    erased = case.operation.label == "DELETE /api/v5/me" and response.status_code in (200, 202)
    if erased or response.status_code == 401 or case.operation.label.endswith(("/erase", "/hold")):
        here.person = None


@atexit.register
def report():
    with open(os.environ["CODITECT_COUNTS"], "w") as file:
        json.dump({"statuses": statuses, "operations": by_operation}, file, sort_keys=True)
