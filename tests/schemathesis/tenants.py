"""Somebody invites others, who come and go."""

from calls import URL, call, code_for, of
from principals import Person

INVITATIONS = "/api/v5/tenant/invitations"
MEMBER = "/api/v5/tenant/members/{id}"


def invite(host, guest):
    """An invitation: its id, and the code that the letter tells."""
    made = call("POST", INVITATIONS, by=host.token, body={"email": guest.email, "role": "member"}).json()
    return made["id"], {"code": code_for(guest.email, "You are invited")}


def walk():
    ada, bob, carol = Person(URL), Person(URL), Person(URL)
    by = {"by": ada.token}
    call("GET", "/api/v5/tenant", **by)
    call("PATCH", "/api/v5/tenant", body={"name": "Physics"}, **by)
    invitation, code = invite(ada, bob)
    call("GET", INVITATIONS, **by)
    call("GET", "/api/v5/me/invitations", by=bob.token)
    joined = call("POST", "/api/v5/me/invitations/{id}/accept", body=code, **of(bob.token, id=invitation)).json()
    call("GET", "/api/v5/tenants", by=bob.token)
    bobs = call("POST", "/api/v5/tenants/{id}/switch", **of(bob.token, id=joined["tenant"])).json()["access_token"]
    invitation, code = invite(ada, carol)
    call("POST", "/api/v5/me/invitations/{id}/decline", body=code, **of(carol.token, id=invitation))
    invitation, _ = invite(ada, Person(URL))
    call("DELETE", INVITATIONS + "/{id}", **of(ada.token, id=invitation))

    member = of(ada.token, id=joined["user"])
    call("GET", "/api/v5/tenant/members", **by)
    call("PATCH", MEMBER, body={"role": "admin"}, **member)
    call("DELETE", MEMBER, **member)
    call("POST", MEMBER + "/restore", **member)
    call("POST", "/api/v5/tenant/leave", by=bobs)
    call("POST", MEMBER + "/hand-over", body={"to": None}, **member)
    left = call("GET", "/api/v5/me/left-behind", **by).json()["items"]
    assert [item["user"] for item in left] == [joined["user"]], left
    call("GET", "/api/v5/tenant/audit", **by)
