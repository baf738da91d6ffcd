"""What an administrator of the installation sees and does."""

from calls import URL, call, of
from principals import Person, administrator


def walk():
    person, token = Person(URL), administrator(URL)
    by, user = {"by": token}, of(token, id=person.user)
    call("GET", "/api/v5/admin/users", query={"email": person.email}, **by)
    call("GET", "/api/v5/admin/users/{id}", **user)
    call("POST", "/api/v5/admin/users/{id}/hold", **user)
    call("POST", "/api/v5/admin/users/{id}/let-go", **user)
    call("GET", "/api/v5/admin/users/{id}/audit", **user)
    call("GET", "/api/v5/admin/workspaces", **by)
    call("GET", "/api/v5/admin/audit", **by)
    call("GET", "/api/v5/admin/approvals", **by)
    call("GET", "/api/v5/admin/users", by=person.token, expect=403)
