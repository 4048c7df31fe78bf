"""An OpenID provider on loopback: oidc-provider-mock, which can be told to misbehave.

The program answers over HTTP like any provider. What is added here: it checks PKCE, and it may be told to put
other claims into its tokens, to sign them with something else, or to answer rubbish.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import unescape
from urllib.parse import parse_qs, urlsplit

import flask
import httpx2
import oidc_provider_mock
import werkzeug.serving
from authlib import jose


class Program:
    """The running provider.

    Attributes:
        claims: What its next tokens say beside, or instead of, what they would; ``None`` leaves one out.
        answer: Makes the answer of a path, instead of the provider.
        alg: ``none`` for tokens without a signature, ``HS256`` for ones signed with the public key.
    """

    def __init__(self) -> None:
        self.app = oidc_provider_mock.app(require_nonce=True)
        self.asked: list[dict[str, list[str]]] = []
        self.sent: list[dict[str, str]] = []
        self._challenges: dict[str, str] = {}
        self.calm()
        self.app.before_request(self._before)
        self.app.after_request(self._after)
        self.server = werkzeug.serving.make_server("localhost", 0, self.app, threaded=True)
        self.http = httpx2.Client()
        self.address = f"http://localhost:{self.server.server_port}"

    def calm(self) -> None:
        """Behave."""
        self.claims: dict[str, object] = {}
        self.answer: dict[str, Callable[[], flask.Response]] = {}
        self.alg = ""

    def knows(self, subject: str, **claims: object) -> None:
        """Let the provider know somebody."""
        self.http.put(f"{self.address}/users/{subject}", json=claims).raise_for_status()

    def agree(self, address: str, subject: str) -> str:
        """What somebody's browser is sent back to after they agreed there."""
        self.asked.append(parse_qs(urlsplit(address).query))
        done = self.http.post(address, data={"sub": subject}, follow_redirects=False)
        assert done.status_code == 302, done.text
        return done.headers["location"]

    def decline(self, address: str) -> str:
        done = self.http.post(address, data={"action": "deny"}, follow_redirects=False)
        return done.headers["location"]

    def _before(self):
        if flask.request.path in self.answer:
            return self.answer[flask.request.path]()
        if flask.request.path == "/oauth2/token":
            self.sent.append(dict(flask.request.form))
            verifier = flask.request.form.get("code_verifier", "")
            digest = hashlib.sha256(verifier.encode()).digest()
            made = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if self._challenges.get(flask.request.form.get("code", "")) != made:
                return {"error": "invalid_grant"}, 400
        return None

    def _after(self, response: flask.Response) -> flask.Response:
        if flask.request.path == "/oauth2/authorize" and response.status_code == 302:
            code = parse_qs(urlsplit(response.location).query).get("code", [""])[0]
            assert flask.request.args["code_challenge_method"] == "S256"
            self._challenges[code] = flask.request.args["code_challenge"]
        if flask.request.path == "/oauth2/token" and response.status_code == 200:
            given = response.get_json()
            if "id_token" in given and (self.claims or self.alg):
                given["id_token"] = self._forged(given["id_token"])
                response.set_data(json.dumps(given))
        return response

    def _forged(self, token: str) -> str:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        claims.pop("at_hash", None)
        claims = {k: v for k, v in (claims | self.claims).items() if v is not None}
        if self.alg == "none":
            parts = [
                base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=")
                for one in ({"alg": "none"}, claims)
            ]
            return ".".join([*parts, ""])
        key = flask.g.oidc_provider_mock_storage.jwk
        if self.alg == "HS256":
            public = json.dumps(key.as_dict())
            secret = jose.OctKey.import_key(public.encode())
            return jose.jwt.encode({"alg": "HS256"}, claims, secret).decode()
        if self.alg == "other key":  # and says itself where to find it
            key = jose.RSAKey.generate_key(2048, is_private=True)
            header = {"alg": "RS256", "jwk": key.as_dict(), "jku": f"{self.address}/other"}
            return jose.JsonWebToken(["RS256"]).encode(header, claims, key).decode()
        return jose.jwt.encode({"alg": "RS256"}, claims, key).decode()


@contextmanager
def running() -> Iterator[Program]:
    """A provider on a free port."""
    program = Program()
    thread = threading.Thread(target=program.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield program
    finally:
        program.server.shutdown()
        thread.join(5)
        program.server.server_close()


def leave(client, start: str, **fields) -> str:
    """Press a button of this site; the provider's address that the page leads on to."""
    page = client.post(start, data={"next": "", **fields})
    assert page.status_code == 200, page.text
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.text)
    return unescape(found[1])


def come_back(client, address: str):
    """Follow the provider's redirect, and none after."""
    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}" == "http://testserver"
    return client.get(f"{parts.path}?{parts.query}", follow_redirects=False)


def through(client, program: Program, subject: str, start: str, **fields):
    """All of it: leave, agree, come back."""
    return come_back(client, program.agree(leave(client, start, **fields), subject))


def just_now() -> float:
    return time.time()
