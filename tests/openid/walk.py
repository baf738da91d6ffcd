"""People sign in to `coditect dev` with a certified OpenID provider: `walk.py PROGRAM FOLDER`, the folder being where the
provider is installed."""

import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Browser:
    """Keeps cookies by origin, and follows nothing by itself."""

    def __init__(self):
        self.opener = urllib.request.build_opener(Stay)
        self.cookies = {}

    def go(self, url, form=None, body=None):
        origin = urllib.parse.urlsplit(url)[:2]
        jar = self.cookies.setdefault(origin, {})
        headers = {"Accept": "text/html", "Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
        data = None
        if form is not None:
            data = urllib.parse.urlencode(form).encode()
        elif body is not None:
            data = json.dumps(body).encode()
            headers |= {"Content-Type": "application/json", "Accept": "application/json"}
        try:
            answer = self.opener.open(urllib.request.Request(url, data, headers), timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, value = line.split(";")[0].split("=", 1)
            jar[name] = value
        location = answer.headers.get("Location")
        return answer.status, location and urllib.parse.urljoin(url, location), answer.read().decode()


def sign_in(api, person, start):
    """From the start to the web app's page: what stands behind `#`, and the browser."""
    browser = Browser()
    _, url, _ = browser.go(api + start)
    for _ in range(20):
        if url.startswith(f"{api}/identity#"):
            return browser, dict(urllib.parse.parse_qsl(url.split("#")[1]))
        status, on, page = browser.go(url)
        if on:
            url = on
            continue
        # The provider's own pages: who one is, and whether one agrees.
        action = re.search(r'<form[^>]*action="([^"]+)"', page)
        prompt = re.search(r'name="prompt" value="([^"]+)"', page)
        if status != 200 or not action or not prompt:
            sys.exit(f"{url} answers {status}: {page[:500]}")
        form = {"prompt": prompt[1]}
        if prompt[1] == "login":
            form |= {"login": person, "password": "any"}
        _, url, _ = browser.go(urllib.parse.urljoin(url, action[1]), form=form)
    sys.exit("the way does not end")


def token(browser, api, code):
    status, _, text = browser.go(f"{api}/api/v5/auth/identity/session", body={"code": code})
    assert status == 200, text
    return json.loads(text)["access_token"]


def me(api, token):
    request = urllib.request.Request(f"{api}/api/v5/me", headers={"Authorization": f"Bearer {token}"})
    return json.load(urllib.request.urlopen(request, timeout=30))


def walk(api):
    browser, said = sign_in(api, "ada", "/api/v5/auth/google?terms_version=1")
    ada = me(api, token(browser, api, said["code"]))
    assert (ada["email"], ada["display_name"]) == ("ada@example.com", "Ada of the provider"), ada
    browser, said = sign_in(api, "ada", "/api/v5/auth/google")
    assert me(api, token(browser, api, said["code"]))["id"] == ada["id"]
    for person, start, problem in [
        ("unverified", "/api/v5/auth/google?terms_version=1", "email-not-verified"),
        ("stranger", "/api/v5/auth/google", "no-account"),
    ]:
        _, said = sign_in(api, person, start)
        assert said == {"problem": problem}, said


def main(program, folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = []
    with tempfile.TemporaryDirectory() as work:
        secret = pathlib.Path(work) / "secret"
        secret.write_text("secret-of-the-test")
        try:
            dev = subprocess.Popen(
                [program, "dev", "--data", f"{work}/data", "--listen", "127.0.0.1:0", "--runtime", "none", "--output", "json",
                 "--no-rate-limits", "--log", "error",
                 "--google-client-id", "coditect-here", "--google-client-secret-file", secret, "--google-issuer", f"http://127.0.0.1:{port}"],
                stdout=subprocess.PIPE, text=True)
            running.append(dev)
            api = json.loads(dev.stdout.readline())["url"]
            _, said = sign_in(api, "ada", "/api/v5/auth/google")
            assert said == {"problem": "provider-unavailable"}, said
            provider = subprocess.Popen(
                ["node", "provider.mjs", str(port), f"{api}/api/v5/auth/google/callback"], cwd=folder, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True)
            running.append(provider)
            assert provider.stdout.readline() == "ready\n", "the provider does not start"
            # What failed a moment ago is not tried for three seconds.
            while sign_in(api, "ada", "/api/v5/auth/google")[1] == {"problem": "provider-unavailable"}:
                time.sleep(0.2)
            walk(api)
        finally:
            for one in running:
                one.terminate()
                one.wait()
    print("openid: signed up, came in again, refused two, by a certified provider")


main(*sys.argv[1:])
