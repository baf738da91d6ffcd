"""Who calls: people who sign up for it, and the gateways of their workspaces, vouched for by a cluster of our own."""

import base64
import json
import pathlib
import subprocess
import time
import uuid

import requests

PASSWORD = "correct horse battery staple"
# Named to the server by `--administrator` once the account exists.
ADMINISTRATOR = "administrator@example.com"


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Cluster:
    """Signs the tokens of pods, as each cell's cluster does. The key is openssl's, in a folder of the run."""

    ISSUER = "https://kubernetes.default.svc.cluster.local"

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.key = self.folder / "cluster.pem"

    def publish(self):
        """Writes what the API is to read: `<folder>/cell-keys/local/…`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._run("genrsa", "-out", self.key, "2048")
        modulus = self._run("rsa", "-in", self.key, "-noout", "-modulus").decode().split("=")[1].strip()
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "n": encoded(bytes.fromhex(modulus)), "e": "AQAB"}
        cell = self.folder / "cell-keys" / "local"
        cell.mkdir(parents=True, exist_ok=True)
        (cell / "jwks.json").write_text(json.dumps({"keys": [key]}))
        discovery = {"issuer": self.ISSUER, "jwks_uri": "https://10.0.0.1/openid/v1/jwks", "response_types_supported": ["id_token"]}
        (cell / "openid-configuration.json").write_text(json.dumps(discovery))

    def token(self, user, workspace):
        now = int(time.time())
        claims = {
            "iss": self.ISSUER, "aud": ["coditect-api"], "sub": f"system:serviceaccount:user-{user}:workspace-sa",
            "iat": now, "nbf": now, "exp": now + 600, "jti": str(uuid.uuid4()),
            "kubernetes.io": {
                "namespace": f"user-{user}", "node": {"name": "node-1", "uid": "1"},
                "pod": {"name": f"workspace-{workspace}-0", "uid": "2"}, "serviceaccount": {"name": "workspace-sa", "uid": "3"},
            },
        }
        header = {"alg": "RS256", "kid": "one"}
        signed = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=signed.encode(), stdout=subprocess.PIPE, check=True).stdout
        return f"{signed}.{encoded(signature)}"

    @staticmethod
    def _run(*arguments):
        return subprocess.run(["openssl", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


class Person:
    """Somebody new, signed in, with a first workspace."""

    def __init__(self, url, email=None):
        self.url = url
        self.email = email or f"p{uuid.uuid4().hex}@example.com"
        body = {"email": self.email, "password": PASSWORD, "display_name": "Ada", "terms_version": "2026-11-01"}
        answer = requests.post(f"{url}/api/v5/auth/register", json=body, timeout=30)
        answer.raise_for_status()
        accepted = answer.json()
        self.registration = accepted["id"]
        answer = requests.post(f"{url}/api/v5/auth/registrations/{self.registration}/session", timeout=30)
        answer.raise_for_status()
        self.token = answer.json()["access_token"]
        self.cookie = answer.headers["set-cookie"].split(";")[0]
        self.born = time.monotonic()
        me = self.get("/api/v5/me")
        self.account, self.user, self.tenant = me["id"], me["user_id"], me["tenant"]["id"]
        self.workspace = self.get("/api/v5/workspaces")["items"][0]["id"]

    def post(self, path, body):
        answer = requests.post(self.url + path, json=body, headers={"Authorization": f"Bearer {self.token}"}, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def get(self, path):
        answer = requests.get(self.url + path, headers={"Authorization": f"Bearer {self.token}"}, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def gateway(self, cluster):
        """The credential of the gateway of the person's workspace."""
        headers = {"Authorization": f"Bearer {cluster.token(self.user, self.workspace)}"}
        answer = requests.post(f"{self.url}/api/v5/sidecar/credential", headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.json()["credential"]


def administrator(url):
    """An access token of the installation's administrator."""
    body = {"email": ADMINISTRATOR, "password": PASSWORD}
    answer = requests.post(f"{url}/api/v5/auth/login", json=body, timeout=30)
    answer.raise_for_status()
    return answer.json()["access_token"]
