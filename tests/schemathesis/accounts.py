"""What a person does with their account."""

import base64
import hmac
import time
import uuid

from calls import URL, call, code_for, of
from principals import PASSWORD, Person


def sign_in(email, password):
    return call("POST", "/api/v5/auth/login", body={"email": email, "password": password}).json()["access_token"]


def letters():
    """What is proved by a code that only a letter tells."""
    person = Person(URL)
    moved = f"moved{uuid.uuid4().hex}@example.com"
    call("PUT", "/api/v5/me/email", by=person.token, body={"current_password": PASSWORD, "email": moved})
    proved = call("POST", "/api/v5/auth/verify-email", body={"code": code_for(moved, "Confirm your new address")}).json()
    assert proved["done"] == "new_address", proved
    call("POST", "/api/v5/auth/forgot-password", body={"email": moved})
    code, password = code_for(moved, "Set a new password"), PASSWORD + " anew"
    call("POST", "/api/v5/auth/reset-password", body={"code": code, "password": password})
    sign_in(moved, password)


def second_factor():
    person = Person(URL)
    by, password = {"by": person.token}, {"password": PASSWORD}
    call("GET", "/api/v5/me/second-factor", **by)
    secret = call("POST", "/api/v5/me/second-factor", body=password, **by).json()["secret"]
    code = {"code": totp(secret)}
    recovery = call("POST", "/api/v5/me/second-factor/confirm", body=code, **by).json()["recovery_codes"]
    login = {"email": person.email, "password": PASSWORD}
    challenge = call("POST", "/api/v5/auth/login", body=login, expect=403).json()["challenge"]
    call("POST", "/api/v5/auth/login/second-factor", body={"challenge": challenge, "code": recovery[0]})
    call("DELETE", "/api/v5/me/second-factor", body=password, **by)


def totp(secret):
    """The code that an authenticator app shows now (RFC 6238)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, (int(time.time()) // 30).to_bytes(8, "big"), "sha1")
    at = digest[19] & 15
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def belongings():
    """Profile, sign-ins, keys, sessions, a copy of everything, the end and its end."""
    person = Person(URL)
    by = {"by": person.token}
    call("GET", "/api/v5/me", **by)
    call("PATCH", "/api/v5/me", body={"display_name": "Countess"}, **by)
    call("GET", "/api/v5/me/usage", **by)
    call("GET", "/api/v5/me/export", **by)
    keys(person.token)
    sessions(person)
    logins = call("GET", "/api/v5/me/logins", **by).json()["items"]
    call("GET", "/api/v5/me/connections", **by)
    google = of(person.token, provider="google")
    call("POST", "/api/v5/me/connections/{provider}", body={"password": PASSWORD}, **google)
    call("DELETE", "/api/v5/me/connections/{provider}", **google)
    changed = PASSWORD + "!"
    call("PUT", "/api/v5/me/password", body={"current_password": PASSWORD, "new_password": changed}, **by)
    call("DELETE", "/api/v5/me", body={"password": changed, "mode": "grace"}, **by)
    call("POST", "/api/v5/me/restore", **by)
    call("DELETE", "/api/v5/me/logins/{id}", **of(person.token, id=logins[0]["id"]))


def keys(token):
    key = call("POST", "/api/v5/me/api-keys", by=token, body={"name": "script", "scopes": ["profile:read"]}).json()
    assert key["id"] in [item["id"] for item in call("GET", "/api/v5/me/api-keys", by=token).json()["items"]]
    call("GET", "/api/v5/me", by=key["secret"])
    call("DELETE", "/api/v5/me/api-keys/{id}", **of(token, id=key["id"]))
    call("GET", "/api/v5/me", by=key["secret"], expect=401)


def sessions(person):
    opened = {"workspace": person.workspace, "state": {"tabs": ["a.rs"]}}
    session = of(person.token, id=call("POST", "/api/v5/sessions", by=person.token, body=opened).json()["id"])
    call("GET", "/api/v5/sessions", by=person.token, query={"workspace": person.workspace})
    call("GET", "/api/v5/sessions/{id}", **session)
    call("PUT", "/api/v5/sessions/{id}", body={"state": {"tabs": []}}, **session)
    call("POST", "/api/v5/sessions/{id}/seen", **session)
    call("DELETE", "/api/v5/sessions/{id}", **session)
