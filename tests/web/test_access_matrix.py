"""Who may do what: every address of the application, asked as nobody, member, stranger, moderator and admin.

A route that is new has to be entered in `TABLE`; the test prints the line that its declared dependencies
suggest. What belongs to one account (`OWN`) needs an entry in `OWNED` as well: how to make one, and the form
by which a stranger would reach for it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peerscope.community import (
    accounts,
    collection_members,
    collection_works,
    collections,
    saves,
)
from peerscope.community.accounts import create_account
from peerscope.community.models import Login
from peerscope.community.passkey_models import Passkey
from peerscope.community.proofs import add_proof
from peerscope.community.sessions import open_session
from peerscope.community.tickets import issue
from peerscope.community.times import now
from peerscope.community.waiting import READY, Waiting
from peerscope.web.forms import form
from peerscope.web.uploads import boundary_of
from peerscope.web.visitor import PICTURES, acting, admin, moderator, signed_in

PUBLIC, READER, ACCOUNT, OWN = "PUBLIC", "READER", "ACCOUNT", "OWN"
MODERATOR, ADMIN = "MODERATOR", "ADMIN"
ROLES = ("nobody", "member", "stranger", "moderator", "admin")

TABLE = {
    # pages and API of the record
    "GET /": PUBLIC,
    "GET /api/v1/graph/find": PUBLIC,
    "GET /api/v1/graph/path": PUBLIC,
    "GET /api/v1/graph/edge": PUBLIC,
    "GET /api/v1/graph/{key}": PUBLIC,
    "GET /api/v1/graph/{key}/expand": PUBLIC,
    "GET /graph/kinds": PUBLIC,
    "GET /graph/why": PUBLIC,
    "GET /{place}/{name}/graph": PUBLIC,
    "GET /{place}/{name}/graph.{suffix}": PUBLIC,
    "GET /explore": PUBLIC,
    "GET /map": PUBLIC,
    "GET /map/tiles/{version}/{z}/{x}/{y}": PUBLIC,
    "GET /map/parts/{version}": PUBLIC,
    "GET /map/view": PUBLIC,
    "GET /map/titles": PUBLIC,
    "GET /map/regions/{map_id}/{number}": PUBLIC,
    "GET /search": PUBLIC,
    "GET /works": PUBLIC,
    "GET /healthz": PUBLIC,
    "GET /{place}": PUBLIC,
    "GET /{place}/{name:path}": PUBLIC,
    "GET /claims": PUBLIC,
    "GET /claims/rule": PUBLIC,
    "GET /claims/{id}": PUBLIC,
    "GET /attempts/{id}": PUBLIC,
    "GET /attempts/{id}/{name:path}": PUBLIC,
    "GET /dumps": PUBLIC,
    "GET /dumps/{name}/{file}": PUBLIC,
    "GET /api/{place}": PUBLIC,
    "GET /api/{place}/{id}": PUBLIC,
    "GET /api/v1/search": PUBLIC,
    "GET /api/v1/{place}/{id}/neighbours": PUBLIC,
    "GET /api/v1/works/{id}/page": PUBLIC,
    "GET /api/v1/people/{id}/page": PUBLIC,
    "GET /api/v1/{place}/{id}/page": PUBLIC,
    "GET /api/v1/works/{id}/claims": PUBLIC,
    "GET /api/v1/claims": PUBLIC,
    "GET /api/v1/claims/{id}": PUBLIC,
    "GET /api/v1/attempts/{id}": PUBLIC,
    "GET /api/v1/people/{id}/trust": PUBLIC,
    "GET /api/v1/people/{id}/identity": PUBLIC,
    "GET /api/v1/identity": PUBLIC,
    "GET /api/v1/collections": PUBLIC,
    "GET /api/v1/collections/{id}": PUBLIC,
    # trust snapshots; only the owner of a record replies (tests/web/test_trust_pages.py)
    "GET /trust/formula": PUBLIC,
    "GET /people/{id}/trust": PUBLIC,
    "GET /people/{id}/trust.json": PUBLIC,
    "GET /people/{id}/trust/history": PUBLIC,
    "POST /people/{id}/trust/reply": ACCOUNT,
    "POST /people/{id}/trust/report": ACCOUNT,
    # the history that a reader keeps without an account
    "GET /history": PUBLIC,
    "GET /history/export.json": PUBLIC,
    "POST /history/on": PUBLIC,
    "POST /history/off": READER,
    "POST /history/save": READER,
    "POST /history/erase": READER,
    "POST /history/take": ACCOUNT,
    "POST /history/saves": ACCOUNT,
    # works for one reader, and taking everything along
    "GET /for-you": PUBLIC,
    "POST /for-you/keep": PUBLIC,
    "POST /for-you/clear": PUBLIC,
    "POST /for-you/change": PUBLIC,
    "POST /for-you/take": ACCOUNT,
    "GET /me/privacy": ACCOUNT,
    "GET /me/export": ACCOUNT,
    "GET /me/delete": ACCOUNT,
    "POST /me/delete": ACCOUNT,
    "GET /gone": PUBLIC,
    # signing in
    "GET /sign-in": PUBLIC,
    "POST /sign-in": PUBLIC,
    "POST /sign-out": ACCOUNT,
    "GET /join": PUBLIC,
    "POST /join": PUBLIC,
    "GET /reset": PUBLIC,
    "POST /reset": PUBLIC,
    "GET /join/{secret}": PUBLIC,
    "POST /join/{secret}": PUBLIC,
    "GET /reset/{secret}": PUBLIC,
    "POST /reset/{secret}": PUBLIC,
    "GET /sign-in/with/{key}": PUBLIC,
    "POST /sign-in/with/{key}": PUBLIC,
    "GET /sign-in/new": PUBLIC,
    "POST /sign-in/new": PUBLIC,
    "POST /sign-in/passkey/options": PUBLIC,
    "POST /sign-in/passkey": PUBLIC,
    "GET /sign-in/again": ACCOUNT,
    "POST /sign-in/again": ACCOUNT,
    "POST /sign-in/again/{key}": ACCOUNT,
    # one's own account
    "GET /me": ACCOUNT,
    "GET /me/settings": ACCOUNT,
    "POST /me/name": ACCOUNT,
    "POST /me/email": ACCOUNT,
    "GET /me/email/{secret}": OWN,
    "POST /me/email/{secret}": OWN,
    "POST /me/password": ACCOUNT,
    "POST /me/password/remove": ACCOUNT,
    "POST /me/logins/remove": OWN,
    "POST /me/link/{key}": ACCOUNT,
    "POST /me/sessions/end": ACCOUNT,
    "POST /me/passkeys/options": ACCOUNT,
    "POST /me/passkeys/add": ACCOUNT,
    "POST /me/passkeys/rename": OWN,
    "POST /me/passkeys/remove": OWN,
    # what accounts follow, save, collect and say; moderators may remove what others said
    "GET /saves": ACCOUNT,
    "GET /saves/export{suffix}": ACCOUNT,
    "POST /saves": ACCOUNT,
    "POST /saves/change": OWN,
    "POST /saves/remove": ACCOUNT,
    # adding works, and the sources of the record (tests/web/test_bring_pages.py)
    "GET /add": PUBLIC,
    "POST /add": ACCOUNT,
    "GET /add/{key}": OWN,
    "POST /add/{key}": OWN,
    "GET /sources": PUBLIC,
    "GET /sources/{number:int}": PUBLIC,
    "POST /sources/{number:int}/withdraw": ACCOUNT,
    # what came with the API, claims, meeting, talk, trust and moderation
    "GET /api/v1/autocomplete/{name}": PUBLIC,
    "GET /api/v1/autocomplete": PUBLIC,
    "GET /api/v1/{name}": PUBLIC,
    "GET /api/v1/works/{id:path}/ngrams": PUBLIC,
    "GET /api/v1/{name}/{id:path}": PUBLIC,
    "GET /claims/{id}/badge.svg": PUBLIC,
    "GET /works/W{number}/badge.svg": PUBLIC,
    "GET /works/W{number}/card.svg": PUBLIC,
    "GET /people/A{number}/card.svg": PUBLIC,
    "GET /embed/{key}": PUBLIC,
    # references; a collection's follow its visibility (tests/web/test_cite_pages.py)
    "GET /search/cite": PUBLIC,
    "GET /search/cite.{form}": PUBLIC,
    "GET /collections/{name}/cite": PUBLIC,
    "GET /collections/{name}/cite.{form}": PUBLIC,
    "GET /{place}/{name}/cite": PUBLIC,
    "GET /{place}/{name}/cite.{form}": PUBLIC,
    # assistants: read only (tests/web/test_mcp.py)
    "GET /mcp": PUBLIC,
    "POST /mcp": PUBLIC,
    "GET /claims/{id}/card.svg": PUBLIC,
    "GET /people/A{number}/badge.svg": PUBLIC,
    "GET /oai": PUBLIC,
    "POST /oai": PUBLIC,
    "GET /sitemap.xml": PUBLIC,
    "GET /sitemap/{name}.xml": PUBLIC,
    "GET /llms.txt": PUBLIC,
    "GET /me/proofs": ACCOUNT,
    "POST /me/proofs/domain": ACCOUNT,
    "GET /me/proofs/domain/{secret}": ACCOUNT,
    "POST /me/proofs/domain/{secret}": ACCOUNT,
    "POST /me/proofs/revoke": ACCOUNT,
    "POST /me/proofs/vouch-link": ACCOUNT,
    "POST /me/proofs/take-back": ACCOUNT,
    "GET /vouch/{secret}": ACCOUNT,
    "POST /vouch/{secret}": ACCOUNT,
    "GET /people/A{number:int}/claim": PUBLIC,
    "POST /people/A{number:int}/claim": ACCOUNT,
    "POST /people/A{number:int}/claim/withdraw": ACCOUNT,
    "POST /people/A{number:int}/claim/ask": ACCOUNT,
    "POST /people/A{number:int}/claim/vouch": ACCOUNT,
    "POST /people/A{number:int}/claim/decide": MODERATOR,
    "POST /people/A{number:int}/claim/attest": ADMIN,
    "GET /people/A{number:int}/correct": PUBLIC,
    "POST /people/A{number:int}/correct": PUBLIC,
    "POST /people/A{number:int}/correct/decide": MODERATOR,
    "GET /people/A{number:int}/profile": ACCOUNT,
    "POST /people/A{number:int}/profile": ACCOUNT,
    "POST /people/A{number:int}/noindex": ACCOUNT,
    "GET /people/A{number:int}/confirm": ACCOUNT,
    "POST /people/A{number:int}/confirm": ACCOUNT,
    "GET /privacy": PUBLIC,
    "GET /following": ACCOUNT,
    "POST /following": ACCOUNT,
    "POST /following/remove": ACCOUNT,
    "POST /following/seen": ACCOUNT,
    "GET /changes/{name}": PUBLIC,
    "GET /collections": PUBLIC,
    "POST /collections": ACCOUNT,
    "POST /collections/add": ACCOUNT,
    "GET /collections/{name}": PUBLIC,
    "GET /collections/{name}/history": PUBLIC,
    "GET /collections/{name}/manage": OWN,
    "POST /collections/{name}/manage": OWN,
    "POST /collections/{name}/erase": ACCOUNT,
    "POST /collections/{name}/fork": OWN,
    "POST /collections/{name}/remove": OWN,
    "POST /collections/{name}/move": OWN,
    "POST /collections/{name}/note": OWN,
    "POST /collections/{name}/invite": OWN,
    "POST /collections/{name}/dismiss": OWN,
    "POST /collections/{name}/answer": OWN,
    "POST /collections/{name}/leave": OWN,
    "POST /works/{name}/vote": ACCOUNT,
    "GET /works/{name}/reactions": PUBLIC,
    "POST /works/{name}/reactions": ACCOUNT,
    "POST /reactions/{name}/remove": ACCOUNT,
    "GET /works/{name}/reviews": PUBLIC,
    "POST /works/{name}/reviews": ACCOUNT,
    "GET /reviews/{name}": PUBLIC,
    "POST /reviews/{name}/replies": ACCOUNT,
    "POST /reviews/{name}/withdraw": ACCOUNT,
    "POST /replies/{name}/remove": ACCOUNT,
    "GET /report": ACCOUNT,
    "POST /report": ACCOUNT,
    "GET /talk": ACCOUNT,
    "GET /talk/invite": ACCOUNT,
    "POST /talk/invite": ACCOUNT,
    "POST /talk/accept": ACCOUNT,
    "POST /talk/decline": ACCOUNT,
    "POST /talk/withdraw": ACCOUNT,
    "POST /talk/block": ACCOUNT,
    "POST /talk/unblock": ACCOUNT,
    "GET /talk/report": ACCOUNT,
    "POST /talk/report": ACCOUNT,
    "GET /talk/{name}": ACCOUNT,
    "POST /talk/{name}/write": ACCOUNT,
    "POST /talk/{name}/delete": ACCOUNT,
    "POST /talk/{name}/mute": ACCOUNT,
    "POST /talk/{name}/leave": ACCOUNT,
    "GET /notices": ACCOUNT,
    "POST /notices/read": ACCOUNT,
    "POST /notices/settings": ACCOUNT,
    "POST /notices/feed": ACCOUNT,
    "POST /notices/feed/end": ACCOUNT,
    "GET /unsubscribe/{token}": PUBLIC,
    "POST /unsubscribe/{token}": PUBLIC,
    "GET /moderation": MODERATOR,
    "GET /moderation/reports/{number}": MODERATOR,
    "POST /moderation/decide": MODERATOR,
    "POST /moderation/hide": MODERATOR,
    "GET /moderation/accounts": ADMIN,
    "POST /moderation/role": ADMIN,
    "POST /moderation/suspend": ADMIN,
    "POST /moderation/restore": ADMIN,
    "GET /moderation/audit": ADMIN,
    "GET /moderation/audit.jsonl": ADMIN,
    "GET /search/feed.atom": PUBLIC,
    "GET /collections/{name}/feed.atom": PUBLIC,
    "GET /{place}/{name}/feed.atom": PUBLIC,
    "GET /feeds/{secret}": PUBLIC,
    # who is who
    "GET /people/A{number:int}/identity": PUBLIC,
    "POST /people/A{number:int}/identity/preview": ACCOUNT,
    "POST /people/A{number:int}/identity/decide": ACCOUNT,
    "POST /identity/events/{event:int}/undo": ACCOUNT,
    "GET /identity": PUBLIC,
    "GET /identity/requests": ACCOUNT,
    "GET /identity/requests/{number:int}": ACCOUNT,
    "POST /identity/requests/{number:int}": ACCOUNT,
}
"""Method and path of each route to who may ask it."""

Made = tuple[dict[str, str], dict[str, str]]


def a_login(session, owner: int) -> Made:
    row = Login(
        account_id=owner, issuer="https://x.example", subject=secrets.token_hex(4), created_at=now()
    )
    session.add(row)
    session.flush()
    return {}, {"login": str(row.id)}


def a_passkey(session, owner: int) -> Made:
    row = Passkey(
        account_id=owner, handle="x", credential=secrets.token_hex(8), public_key=b"x", uses=0,
        name="Key", created_at=now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return {}, {"passkey": str(row.id), "name": "Mine now"}


def an_address(session, owner: int) -> Made:
    return {"secret": issue(session, "email", owner, f"{secrets.token_hex(4)}@example.org")}, {}


def a_save(session, owner: int) -> Made:
    saves.save(session, owner, 1)
    return {}, {"work": "W1", "note": "Mine"}


def a_collection(session, owner: int) -> Made:
    """A private one with a work and a guest; the fields are those of every form about it."""
    number = collections.make(session, owner, "A list")
    collection_works.add(session, owner, number, 1)
    guest = create_account(session, "Guest Example")
    collection_members.invite(session, owner, number, guest, "viewer")
    fields = {
        "collection": f"C{number}", "work": "W1", "place": "1", "note": "Mine", "title": "Mine now",
        "visibility": "public", "who": f"U{guest}", "role": "viewer",
    }  # fmt: skip
    return {"name": f"C{number}"}, fields


def an_invitation(session, owner: int) -> Made:
    host = create_account(session, "Host Example")
    number = collections.make(session, host, "A list")
    collection_members.invite(session, host, number, owner, "viewer")
    return {"name": f"C{number}"}, {"answer": "accept"}


def a_membership(session, owner: int) -> Made:
    path, _ = an_invitation(session, owner)
    collection_members.answer(session, owner, int(path["name"][1:]), accept=True)
    return path, {}


ABOUT_COLLECTIONS = ("manage", "fork", "remove", "move", "note", "invite", "dismiss")


def an_import(session, owner: int) -> Made:
    waiting = Waiting(Path(session.get_bind().engine.url.database).parent)
    job = waiting.save(replace(waiting.begin(owner, "Mine"), state=READY))
    return {"key": job.key}, {"do": "discard"}


OWNED: dict[str, Callable[..., Made]] = {
    "POST /saves/change": a_save,
    "GET /add/{key}": an_import,
    "POST /add/{key}": an_import,
    "GET /collections/{name}/manage": a_collection,
    **{f"POST /collections/{{name}}/{what}": a_collection for what in ABOUT_COLLECTIONS},
    "POST /collections/{name}/answer": an_invitation,
    "POST /collections/{name}/leave": a_membership,
    "GET /me/email/{secret}": an_address,
    "POST /me/email/{secret}": an_address,
    "POST /me/logins/remove": a_login,
    "POST /me/passkeys/rename": a_passkey,
    "POST /me/passkeys/remove": a_passkey,
}
"""For what belongs to one account: makes one of an owner; what then stands in path and form."""

SAMPLES = {"key": "orcid", "place": "topics", "secret": "x" * 43}
"""What stands in a path for a parameter; ``1`` for all others."""

DECIDED_BELOW = {
    f"POST /moderation/{what}" for what in ("decide", "hide", "role", "suspend", "restore")
}
"""Where the room below asks for the role, and the route declares an account only."""

FROM_ELSEWHERE = {"POST /oai", "POST /mcp", "POST /unsubscribe/{token}"}
"""What programs elsewhere ask by ``POST``: harvesters and assistants, which change nothing, and mail programs, whose link holds
a secret that can do this one thing."""

GUARDS = {signed_in: ACCOUNT, acting: ACCOUNT, moderator: MODERATOR, admin: ADMIN}


@pytest.fixture(scope="module")
def people(small_society, quick_hashes):
    return small_society()


@pytest.fixture(autouse=True)
def _no_count(people) -> None:
    people.community.rates.clear()


def routes(application) -> dict[str, APIRoute]:
    """Every route that answers, by method and path."""
    found: dict[str, APIRoute] = {}
    for one in application.routes:
        router = getattr(one, "original_router", None)
        for route in router.routes if router is not None else [one]:
            if isinstance(route, APIRoute):
                found |= {f"{method} {route.path}": route for method in route.methods - {"HEAD"}}
    return found


def depends(route: APIRoute) -> set[object]:
    """Everything that a route depends on, however deep."""
    found, ahead = set(), [route.dependant]
    while ahead:
        one = ahead.pop()
        found.add(one.call)
        ahead += one.dependencies
    return found


def declared(route: APIRoute) -> str:
    """Who may ask a route by what it declares."""
    kinds = {GUARDS[one] for one in depends(route) if one in GUARDS}
    return next((kind for kind in (ADMIN, MODERATOR, ACCOUNT) if kind in kinds), PUBLIC)


def enter(people, role: str):
    """A browser of somebody with a role; an account of its own each time."""
    client = people.browser()
    if role == "nobody":
        return client
    with people.community.writing() as session:
        number = create_account(
            session, f"{role} Example", email=f"{secrets.token_hex(6)}@example.org",
            role=role if role in accounts.ROLES else "member",
        )  # fmt: skip
        for kind in ("email", "orcid", "domain"):  # so that no level is what refuses them
            add_proof(session, number, kind, value=secrets.token_hex(8), issuer="test")
        secret = open_session(session, number, "password")
    client.cookies.set("peerscope-session", secret)
    client.account_id, client.secret = number, secret
    return client


def token_of(client) -> str:
    from peerscope.web.visitor import Visitor

    return Visitor(None, client.secret).token() if hasattr(client, "secret") else ""


def ask(
    client, name: str, path: dict[str, str] | None = None, fields: dict[str, str] | None = None
):
    method, pattern = name.split(" ", 1)
    values = SAMPLES | (path or {})
    address = re.sub(r"\{(\w+)(:\w+)?\}", lambda m: values.get(m[1], "1"), pattern)
    if method == "GET":
        return client.get(address, follow_redirects=False)
    sent = {"token": token_of(client)} | (fields or {})
    return client.request(method, address, data=sent, follow_redirects=False)


def class_of(answer) -> str:
    """``sign in``, ``refused`` or ``open``: the last also where the thing asked for is not there."""
    leads = answer.headers.get("location", "")
    if answer.status_code == 401 or leads.startswith("/sign-in?next="):
        return "sign in"
    return "refused" if answer.status_code == 403 else "open"


EXPECTED = {
    PUBLIC: dict.fromkeys(ROLES, "open"),
    READER: dict.fromkeys(ROLES, "refused"),  # none of them has the cookie of a reader
    ACCOUNT: dict.fromkeys(ROLES, "open") | {"nobody": "sign in"},
    OWN: {"nobody": "sign in"},
    MODERATOR: {"nobody": "sign in", "member": "refused", "stranger": "refused", "moderator": "open",
                "admin": "open"},
    ADMIN: {"nobody": "sign in", "member": "refused", "stranger": "refused", "moderator": "refused",
            "admin": "open"},
}  # fmt: skip


def test_every_route_is_in_the_table_as_it_declares(people) -> None:
    there = routes(people.application)
    assert len(there) > 40
    missing = {name: declared(route) for name, route in there.items() if name not in TABLE}
    assert not missing, "\n".join(f'    "{name}": {kind},' for name, kind in missing.items())
    assert not set(TABLE) - set(there), "no longer there"
    for name, kind in TABLE.items():
        says = ACCOUNT if name in DECIDED_BELOW else {OWN: ACCOUNT, READER: PUBLIC}.get(kind, kind)
        assert declared(there[name]) == says, name
        assert (kind == OWN) == (name in OWNED), name


@pytest.mark.parametrize("role", ROLES)
def test_everybody_may_do_what_the_table_says(people, role) -> None:
    for name, kind in TABLE.items():
        people.community.rates.clear()
        expected = EXPECTED[kind].get(role)
        if expected is None:
            continue
        answer = ask(enter(people, role), name)
        assert answer.status_code < 500, (name, role)
        assert class_of(answer) == expected, (name, role, answer.status_code, answer.text[:2000])


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", OWNED)
def test_what_is_somebody_elses_is_not_to_be_had(people, name, role) -> None:
    """Object ids of others (IDOR): refused for all but the owner, whatever their role."""
    owner = enter(people, "member")
    with people.community.writing() as session:
        path, fields = OWNED[name](session, owner.account_id)
        OWNED[name](session, owner.account_id)  # so that it is not the last one
    answer = ask(enter(people, role), name, path, fields)
    if role == "nobody":
        assert class_of(answer) == "sign in"
    else:
        assert answer.status_code in (403, 404)
    assert ask(owner, name, path, fields).status_code in (200, 303)


def test_every_form_refuses_other_sites_and_other_sessions(people) -> None:
    """CSRF: every route that changes something looks at where the form came from, and at its token."""
    for name, route in routes(people.application).items():
        people.community.rates.clear()
        if name.startswith("GET "):
            continue
        if name in FROM_ELSEWHERE:
            continue
        assert form in depends(route) or boundary_of in depends(route), name
        method, path = name.split(" ", 1)
        address = re.sub(r"\{(\w+)(:\w+)?\}", lambda m: SAMPLES.get(m[1], "1"), path)
        client, other = enter(people, "admin"), enter(people, "admin")
        for headers in (
            {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
            {"origin": "https://evil.example"}, {"origin": "null"},
        ):  # fmt: skip
            sent = {"token": token_of(client)}
            assert client.request(method, address, data=sent, headers=headers).status_code == 403, (
                name
            )
        if acting in depends(route):
            for token in ("", "x", token_of(other)):
                sent = {"token": token}
                assert client.request(method, address, data=sent).status_code == 403, name
        kept = client.request(method, address, json={"token": token_of(client)})
        assert kept.status_code == 415, name


INLINE = re.compile(
    r"<script(?![^>]*\ssrc=)(?![^>]*application/(ld\+)?json)|\sstyle=|\son[a-z]+=|javascript:", re.I
)


@pytest.mark.parametrize("role", ["nobody", "admin"])
def test_the_policy_holds_on_every_page(people, role) -> None:
    client = enter(people, role)
    for name in routes(people.application):
        if not name.startswith("GET "):
            continue
        answer = ask(client, name)
        policy = dict(
            part.strip().split(" ", 1)
            for part in answer.headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert "unsafe" not in str(policy) and "*" not in str(policy) and "http" not in str(policy)
        assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
        assert answer.headers["x-content-type-options"] == "nosniff", name
        assert answer.headers["referrer-policy"] == "strict-origin-when-cross-origin"
        # Other sites' scripts may read the open API, and never as somebody.
        shared = answer.headers.get("access-control-allow-origin")
        assert shared in ({None, "*"} if name.startswith("GET /api/") else {None}), name
        assert "access-control-allow-credentials" not in answer.headers
        if answer.headers.get("content-type", "").startswith("text/html"):
            text = re.sub(r"<pre.*?</pre>", "", answer.text, flags=re.S)
            assert not INLINE.search(text), (name, INLINE.search(text)[0])
        if role != "nobody" and not name.endswith(PICTURES):  # they are everybody's
            assert answer.headers["cache-control"] == "private, no-store", name


def test_over_https_cookies_are_bound_to_the_host_and_plain_http_is_over(small_society) -> None:
    safe = small_society(base_url="https://discover.example.org")
    member = safe.member("Safe Example")
    sent = {"email": member.email, "password": safe.PASSWORD}
    done = safe.browser().post("/sign-in", data=sent, follow_redirects=False)
    flow = safe.browser().post("/sign-in/passkey/options", data={"next": ""})
    for answer, name in ((done, "__Host-peerscope-session"), (flow, "__Host-peerscope-flow")):
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{name}=")
        flags = {part.strip().split("=")[0].lower() for part in cookie.split(";")[1:]}
        assert {
            "secure",
            "httponly",
            "path",
            "samesite",
            "max-age",
        } <= flags and "domain" not in flags
        assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
    plain = safe.browser()
    plain.cookies.set("peerscope-session", member.cookies["peerscope-session"])
    assert (
        plain.get("/me", follow_redirects=False).status_code == 303
    )  # the name without the prefix


def test_no_answer_of_an_error_says_what_is_inside(people) -> None:
    for address in ("/me/email/" + "x" * 43, "/nowhere", "/join/x", "/works/W0"):
        text = people.browser().get(address).text
        assert "Traceback" not in text and "sqlalchemy" not in text.lower()


def test_the_security_headers_are_on_errors_and_static_files(people) -> None:
    for address in ("/nowhere", "/static/site.css", "/api/openapi.json", "/api/works/x"):
        assert "content-security-policy" in people.browser().get(address).headers


def names_of_fields() -> list[str]:
    """Every name that a form of a page has."""
    folder = Path(accounts.__file__).parents[1] / "web" / "templates"
    found = {
        name
        for page in folder.rglob("*.html")
        for name in re.findall(r'name="(\w+)"', page.read_text())
    }
    return sorted(found - {"token"})


ODD = ["", "0", "-1", "1", "9" * 30, "W1", "A1", "\x00", "\ud800", "😀" * 50, "{}", "[" * 2000, "<b>", "a@b.c",
       "/", "//x", "../..", "x" * 5000, "٣", "yes"]  # fmt: skip


@pytest.mark.parametrize("role", ["nobody", "member", "admin"])
def test_no_form_breaks_the_site(people, role) -> None:
    """Random fields to every form: an answer below 500, always."""
    posts = [name for name in routes(people.application) if not name.startswith("GET ")]
    names, clients = names_of_fields(), {}
    assert len(names) > 10 and len(posts) > 15

    @settings(
        max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(
        name=st.sampled_from(posts),
        fields=st.dictionaries(
            st.sampled_from(names), st.sampled_from(ODD) | st.text(max_size=30), max_size=6
        ),
        value=st.sampled_from(["1", "x" * 43, "orcid", "%00", "9" * 25, "%F0%9F%98%80"]),
    )
    def fuzzed(name, fields, value) -> None:
        people.community.rates.clear()
        client = clients.get(role)
        if client is None or (
            role != "nobody" and client.get("/me", follow_redirects=False).status_code != 200
        ):
            client = clients[role] = enter(people, role)
        fields = {
            k: v.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
            for k, v in fields.items()
        }
        path = dict.fromkeys(re.findall(r"\{(\w+)", name), value)
        answer = ask(client, name, path, fields)
        assert answer.status_code < 500, (name, fields, unescape(answer.text)[:300])

    fuzzed()
