"""Every operation of the document once as it is meant, each answer held to the document: what a fuzzer reaches by luck."""

import sys
import uuid

import accounts
import administrators
import tenants
import workspaces
from calls import ELSEWHERE, call, of, schema, seen
from principals import PASSWORD


def strangers():
    """What is open to everybody."""
    body = {"email": f"t{uuid.uuid4().hex}@example.com", "password": PASSWORD, "display_name": "Ada", "terms_version": "1"}
    accepted = call("POST", "/api/v5/auth/register", body=body).json()
    call("GET", "/api/v5/auth/registrations/{id}", **of(None, id=accepted["id"]))
    call("POST", "/api/v5/auth/registrations/{id}/session", **of(None, id=accepted["id"]))
    login = {"email": body["email"], "password": PASSWORD}
    cookie = call("POST", "/api/v5/auth/login", body=login).headers["set-cookie"][0].split(";")[0]
    call("POST", "/api/v5/auth/refresh", cookie=cookie)
    call("POST", "/api/v5/auth/logout", cookie=cookie)
    call("GET", "/api/v5/auth/providers")
    google = of(None, provider="google")
    call("GET", "/api/v5/auth/{provider}", **google)
    call("GET", "/api/v5/auth/{provider}/callback", query={"code": "x", "state": "y"}, **google)
    call("POST", "/api/v5/auth/identity/session", body={"code": "A" * 96})
    for path in ["/api/v5/plans", "/health", "/health/ready", "/health/fdb", "/metrics", "/.well-known/jwks.json"]:
        call("GET", path)


def main():
    for part in (strangers, accounts.letters, accounts.second_factor, accounts.belongings, workspaces.walk, tenants.walk, administrators.walk):
        part()
    operations = {operation.ok().label for operation in schema.get_all_operations()}
    missing = operations - seen.keys()
    if missing:
        sys.exit("the tour does not call " + ", ".join(sorted(missing)))
    kept = sorted(label for label, status in seen.items() if not 200 <= status < 300)
    if kept != sorted(ELSEWHERE):
        sys.exit(f"not answered with 2xx: {kept}")
    print(f"tour: {len(seen) - len(kept)} of {len(seen)} operations answered with 2xx, {len(kept)} as they are without a provider or a model")


main()
