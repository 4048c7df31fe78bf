"""Signing in at a real OpenID provider on loopback, linking, and what others try with it."""

from __future__ import annotations

import logging
import time
from urllib.parse import parse_qs, urlencode, urlsplit

import flask
import pytest
from openid_program import Program, come_back, just_now, leave, running, through
from sqlalchemy import func, select

from peerscope.community.models import Account, Login, Proof, Ticket
from peerscope.community.proofs import level_of

ADA = "0000-0002-1825-0097"
BO = "0000-0001-5109-3700"
ORCID, OIDC = "/sign-in/with/orcid", "/sign-in/with/oidc"
FORM = {"next": ""}


@pytest.fixture(scope="module")
def program():
    import os

    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # the provider asks for it on loopback
    with running() as found:
        yield found


@pytest.fixture(scope="module")
def both(small_society, program, quick_hashes):
    """A site that offers ORCID and an institution; one program on loopback stands for both."""
    return small_society(
        orcid_client_id="peerscope", orcid_client_secret="the secret of orcid",
        orcid_base=program.address,
        oidc_issuer=program.address.replace("localhost", "127.0.0.1"), oidc_client_id="peerscope", oidc_client_secret="of oidc",
        oidc_label="Example University", oidc_federation="example.edu",
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _calm(program: Program, both) -> None:
    program.calm()
    both.community.rates.clear()
    with both.community.writing() as session:
        for table in (Login, Proof, Ticket):
            session.query(table).delete()


def accounts(both) -> int:
    with both.community.reading() as session:
        return session.scalar(select(func.count()).select_from(Account))


def refused(answer, *, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    assert "peerscope-session" not in answer.headers.get("set-cookie", "")
    return answer.text


def joined(both, program, subject: str, start: str = ORCID, name: str = "Ada Example"):
    client = both.browser()
    assert through(client, program, subject, start).headers["location"] == "/sign-in/new"
    done = client.post("/sign-in/new", data={"name": name, "email": "yes"}, follow_redirects=False)
    assert done.status_code == 303, done.text
    return client


def test_joining_and_signing_in_with_orcid(both, program) -> None:
    program.claims = {"given_name": "Ada", "family_name": "Example"}
    client = both.browser()
    assert "Sign in with ORCID" in client.get("/sign-in").text
    done = through(client, program, ADA, ORCID, next="/works")
    assert done.headers["location"] == "/sign-in/new"
    page = client.get("/sign-in/new").text
    assert ADA in page and 'value="Ada Example"' in page and "password" in page
    done = client.post("/sign-in/new", data={"name": "Ada Example"}, follow_redirects=False)
    assert done.headers["location"] == "/works"
    page = client.get("/me").text
    assert "Level L2" in page and ADA in page
    other = both.browser()
    assert through(other, program, ADA, ORCID).headers["location"] == "/me"
    assert "Ada Example" in other.get("/me").text
    asked = program.asked[-1]
    assert asked["scope"] == ["openid"] and asked["redirect_uri"] == ["http://testserver" + ORCID]
    assert len(asked["state"][0]) >= 20 and len(asked["nonce"][0]) >= 20


def test_the_institution_shows_an_affiliation(both, program) -> None:
    program.knows("uni1", name="Cy Third", email="cy@example.edu", email_verified=True)
    client = joined(both, program, "uni1", OIDC, "Cy Third")
    with both.community.reading() as session:
        account = session.scalar(select(Account).where(Account.email == "cy@example.edu"))
        kinds = {p.kind: p for p in session.scalars(select(Proof))}
        assert (account.password, level_of(session, account.id)) == (None, 3)
        assert set(kinds) == {"email", "federation"}
        assert kinds["federation"].value == "example.edu" and kinds["federation"].expires_at
    assert "L3" in client.get("/me").text


def test_what_the_token_leaves_out_is_asked_for(both, program) -> None:
    program.knows("uni2", name="Di Fourth", email="di@example.edu", email_verified=True)
    program.claims = {"name": None, "email": None, "email_verified": None}
    client = both.browser()
    through(client, program, "uni2", OIDC)
    page = client.get("/sign-in/new").text
    assert 'value="Di Fourth"' in page and "di@example.edu" in page


def test_what_is_told_of_somebody_else_is_not_taken(both, program) -> None:
    """Token substitution: the subject that is told of has to be that of the token."""
    program.claims = {"name": None, "email": None, "email_verified": None}
    told = {"sub": "another", "name": "Another", "email": "a@example.edu", "email_verified": True}
    program.answer["/userinfo"] = lambda: flask.jsonify(told)
    client = both.browser()
    through(client, program, "uni3", OIDC)
    page = client.get("/sign-in/new").text
    assert "Another" not in page and "a@example.edu" not in page


@pytest.mark.parametrize("verified", [False, "true", None, 1])
def test_an_address_that_is_not_confirmed_is_not_taken(both, program, verified) -> None:
    program.knows("plain", name="P", email="plain@example.edu", email_verified=verified)
    client = joined(both, program, "plain", OIDC, "Plain Example")
    assert "plain@example.edu" not in client.get("/me/settings").text


def test_an_address_never_opens_an_account_that_is_there(both, program) -> None:
    """Account takeover by an address: whoever has it at the provider must sign in here first."""
    member = both.member("Owner Example")
    program.knows("thief", name="T", email=member.email, email_verified=True)
    client, before = both.browser(), accounts(both)
    assert through(client, program, "thief", OIDC).headers["location"] == "/sign-in/new"
    done = client.post("/sign-in/new", data={"name": "T", "email": "yes"}, follow_redirects=False)
    assert "Sign in to it" in refused(done)
    assert accounts(both) == before
    assert both.post(member, "/me/link/oidc").status_code == 200


def test_the_address_of_the_form_is_the_providers(both, program) -> None:
    """Mass assignment: a form of one's own cannot state another address, identity or role."""
    program.knows("assigner", name="A", email="mine@example.edu", email_verified=True)
    client = both.browser()
    through(client, program, "assigner", OIDC)
    fields = {"name": "Assigned", "email": "x@example.org", "subject": ADA, "issuer": "x",
              "orcid": ADA, "role": "admin"}  # fmt: skip
    assert client.post("/sign-in/new", data=fields, follow_redirects=False).status_code == 303
    with both.community.reading() as session:
        account = session.scalar(select(Account).where(Account.name == "Assigned"))
        assert (account.email, account.role) == (None, "member")
        assert session.scalar(select(Login.subject)) == "assigner"
        assert "orcid" not in session.scalars(select(Proof.kind)).all()


def test_linking_and_taking_off(both, program) -> None:
    member = both.member("Linking Example")
    token = both.token(member, "/me/settings")
    done = through(member, program, BO, "/me/link/orcid", token=token)
    assert done.headers["location"] == "/me/settings"
    assert BO in member.get("/me/settings").text and "Level L2" in member.get("/me").text
    assert "Linking Example" in (
        lambda browser: (through(browser, program, BO, ORCID), browser.get("/me").text)[1]
    )(both.browser())
    with both.community.reading() as session:
        login = session.scalar(select(Login.id))
    other = both.member("Someone Else")
    gone = both.post(other, "/me/logins/remove", login=str(login))
    assert gone.status_code == 404
    assert both.post(member, "/me/logins/remove", login=str(login)).status_code == 303
    assert BO not in member.get("/me/settings").text and "Level L1" in member.get("/me").text
    assert "revoked" in member.get("/me").text


def test_an_orcid_that_was_linked_accepts_the_open_claim_and_taken_off_lets_go(
    both, program
) -> None:
    from peerscope.community.claiming import claim_of
    from peerscope.community.times import now
    from peerscope.record.models import Identifier, Person, Source

    site, number = both.application.state.site, 901
    with site.database.begin() as record:
        record.add(
            Source(
                id=901,
                importer="test",
                name="Test",
                location="test",
                covers="",
                rank=0,
                created_at=now(),
            )
        )
        record.flush()
        record.add(
            Person(
                id=number, display_name="Bo Other", name_key="other, bo", orcid=BO, works_count=0,
                cited_by_count=0, rule="orcid", source_id=901, change_seq=1, created_at=now(),
            )
        )  # fmt: skip
        record.add(
            Identifier(entity="A", scheme="orcid", value=BO, entity_id=number, source_id=901)
        )
    member = both.member("Claiming Example")

    def standing() -> tuple[str, str]:
        with both.community.reading() as session:
            claim = claim_of(session, member.account_id)
            return claim.state, claim.route

    assert both.post(member, f"/people/A{number}/claim").status_code == 303
    assert standing() == ("open", "")
    through(member, program, BO, "/me/link/orcid", token=both.token(member))
    assert standing() == ("accepted", "orcid")
    with both.community.reading() as session:
        login = session.scalar(select(Login.id))
    both.post(member, "/me/logins/remove", login=str(login))
    assert standing() == ("open", "")
    both.post(member, f"/people/A{number}/claim/withdraw")


def test_one_orcid_is_one_account(both, program) -> None:
    joined(both, program, ADA)
    member = both.member("Second Example")
    done = through(member, program, ADA, "/me/link/orcid", token=both.token(member))
    assert "belongs to another account" in refused(done)
    assert "Level L1" in member.get("/me").text
    token = both.token(member)
    assert through(member, program, BO, "/me/link/orcid", token=token).status_code == 303
    third = "0000-0002-1694-233X"
    done = through(member, program, third, "/me/link/orcid", token=both.token(member))
    assert "Remove that one first" in refused(done)


@pytest.mark.parametrize("subject", ["0000-0002-1825-0098", "ada", "0000-0002-1825-009", "1" * 300])
def test_what_is_no_orcid_is_refused(both, program, subject) -> None:
    refused(through(both.browser(), program, subject, ORCID))


def test_the_last_way_stays(both, program) -> None:
    client = joined(both, program, ADA)
    with both.community.reading() as session:
        login = session.scalar(select(Login.id))
    kept = both.post(client, "/me/logins/remove", login=str(login))
    assert kept.status_code == 400 and "last way" in kept.text


def test_a_state_of_another_browser_is_of_no_use(both, program) -> None:
    """Login CSRF: a thief lets a victim return with the thief's own answer."""
    joined(both, program, ADA)
    thief, victim = both.browser(), both.browser()
    answer = program.agree(leave(thief, ORCID), ADA)
    assert "this browser" in refused(come_back(victim, answer))
    leave(victim, ORCID)
    assert "this browser" in refused(come_back(victim, answer))
    assert "this browser" in refused(come_back(victim, answer))


def test_a_wrong_state_is_refused_and_uses_the_right_one_up(both, program) -> None:
    client = both.browser()
    answer = program.agree(leave(client, ORCID), ADA)
    parts = urlsplit(answer)
    changed = {k: v[0] for k, v in parse_qs(parts.query).items()} | {"state": "x" * 30}
    refused(client.get(f"{parts.path}?{urlencode(changed)}", follow_redirects=False))
    refused(come_back(client, answer))


def test_an_answer_works_once(both, program) -> None:
    joined(both, program, ADA)
    client = both.browser()
    address = leave(client, ORCID)
    cookie = client.cookies["peerscope-flow"]
    answer = program.agree(address, ADA)
    assert come_back(client, answer).status_code == 303
    client.cookies.set("peerscope-flow", cookie)
    refused(come_back(client, answer))


def test_a_code_of_another_sign_in_is_refused_by_pkce_and_nonce(both, program) -> None:
    """Code injection: a stolen code in one's own sign-in."""
    stolen = parse_qs(urlsplit(program.agree(leave(both.browser(), ORCID), ADA)).query)["code"][0]
    client = both.browser()
    state = parse_qs(urlsplit(leave(client, ORCID)).query)["state"][0]
    answer = f"{ORCID}?{urlencode({'code': stolen, 'state': state})}"
    refused(client.get(answer, follow_redirects=False))


def test_an_answer_of_another_provider_is_refused(both, program) -> None:
    """Mix-up: the answer of one provider at the address of the other, or with another's name."""
    client = both.browser()
    answer = program.agree(leave(client, OIDC), "uni1")
    refused(come_back(client, answer.replace("/oidc?", "/orcid?")))
    client = both.browser()
    answer = program.agree(leave(client, ORCID), ADA)
    refused(come_back(client, answer + "&iss=https%3A%2F%2Fevil.example"))


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"}, {"nonce": None},
        {"aud": "another"}, {"aud": ["another"]}, {"aud": None}, {"aud": "another", "azp": "peerscope"},
        {"iss": "https://evil.example"}, {"iss": None},
        {"exp": 1_000_000_000}, {"exp": None}, {"exp": "soon"},
        {"iat": 9_999_999_999, "nbf": 9_999_999_999}, {"sub": None}, {"sub": ""}, {"sub": 12},
        {"at_hash": "AAAA"}, {"azp": "another"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("start", [ORCID, OIDC])
def test_a_token_that_does_not_hold_is_refused(both, program, claims, start) -> None:
    program.claims = claims
    before = accounts(both)
    refused(through(both.browser(), program, ADA, start))
    assert accounts(both) == before


@pytest.mark.parametrize("alg", ["none", "HS256", "other key"])
def test_a_token_that_the_provider_did_not_sign_is_refused(both, program, alg) -> None:
    program.alg = alg
    assert "could not be trusted" in refused(through(both.browser(), program, ADA, ORCID))


def test_declining_is_said(both, program) -> None:
    client = both.browser()
    state = parse_qs(urlsplit(leave(client, ORCID)).query)["state"][0]
    sent = {"error": "access_denied", "state": state, "error_description": "Call 555 to go on"}
    page = refused(client.get(f"{ORCID}?{urlencode(sent)}", follow_redirects=False))
    assert "You did not agree at ORCID" in page and "555" not in page
    client = both.browser()
    state = parse_qs(urlsplit(leave(client, ORCID)).query)["state"][0]
    sent = {"error": "<script>alert(1)</script>", "state": state}
    page = refused(client.get(f"{ORCID}?{urlencode(sent)}", follow_redirects=False))
    assert "<script>alert" not in page and "did not confirm" in page


RUBBISH = {
    "not JSON": lambda: flask.Response("<html>hello", content_type="application/json"),
    "a list": lambda: flask.jsonify([1, 2]),
    "a text": lambda: flask.jsonify("x"),
    "nothing": lambda: flask.Response("", 200),
    "bytes": lambda: flask.Response(b"\xff\xfe\x00", content_type="application/json"),
    "null": lambda: flask.Response("null", content_type="application/json"),
    "no token": lambda: flask.jsonify({"access_token": "x", "token_type": "Bearer"}),
    "a number as token": lambda: flask.jsonify({"access_token": "x", "id_token": 5}),
    "half a token": lambda: flask.jsonify({"access_token": "x", "id_token": "a.b"}),
    "an error of the server": lambda: flask.Response("oh", 500),
    "a redirect": lambda: flask.redirect("http://localhost:1/"),
}  # fmt: skip


@pytest.mark.parametrize("what", RUBBISH)
@pytest.mark.parametrize("path", ["/oauth2/token", "/jwks", "/.well-known/openid-configuration"])
def test_rubbish_is_a_sentence(both, program, what, path) -> None:
    elsewhere = both.community.elsewhere
    elsewhere._clients.clear()
    client = both.browser()
    if path == "/.well-known/openid-configuration":
        program.answer[path] = RUBBISH[what]
        answer = client.post(ORCID, data=FORM)
    else:
        address = program.agree(leave(client, ORCID), ADA)
        program.answer[path] = RUBBISH[what]
        answer = come_back(client, address)
    elsewhere._clients.clear()
    assert answer.status_code in (400, 502)
    assert "nobody was signed in" in answer.text or "does not answer" in answer.text
    assert "peerscope-session" not in answer.headers.get("set-cookie", "")


def test_a_provider_that_says_it_is_another_is_refused(both, program) -> None:
    both.community.elsewhere._clients.clear()
    program.answer["/.well-known/openid-configuration"] = lambda: flask.jsonify(
        {"issuer": "https://evil.example", "authorization_endpoint": "https://evil.example/a",
         "token_endpoint": "https://evil.example/t", "jwks_uri": "https://evil.example/j"}
    )  # fmt: skip
    assert both.browser().post(ORCID, data=FORM).status_code == 502
    program.answer["/.well-known/openid-configuration"] = lambda: flask.jsonify(
        {"issuer": program.address, "authorization_endpoint": "javascript:alert(1)",
         "token_endpoint": "http://other.example/t", "jwks_uri": "https://evil.example/j"}
    )  # fmt: skip
    assert both.browser().post(ORCID, data=FORM).status_code == 502
    both.community.elsewhere._clients.clear()


def test_a_provider_that_is_down_is_a_sentence(small_society) -> None:
    closed = small_society(orcid_client_id="p", orcid_base="http://localhost:9")
    answer = closed.browser().post(ORCID, data=FORM)
    assert answer.status_code == 502 and "does not answer" in answer.text


def test_the_way_on_stays_on_this_site(both, program) -> None:
    joined(both, program, ADA)
    for address in ("//evil.example", "https://evil.example/", "/\\evil.example"):
        done = through(both.browser(), program, ADA, ORCID, next=address)
        assert done.headers["location"] == "/me"
    assert through(both.browser(), program, ADA, ORCID, next="/works?page=2").headers[
        "location"
    ] == "/works?page=2"  # fmt: skip


def test_the_host_of_a_request_is_no_address_to_return_to(both, program) -> None:
    client = both.browser()
    page = client.post(
        ORCID, data=FORM, headers={"host": "evil.example", "x-forwarded-host": "evil.example"}
    )
    assert "redirect_uri=http%3A%2F%2Ftestserver%2F" in page.text and "evil" not in page.text


def test_signing_in_again_asks_the_provider_to_ask(both, program) -> None:
    client = joined(both, program, ADA)
    token = both.token(client)
    program.claims = {"auth_time": just_now()}
    done = through(client, program, ADA, "/sign-in/again/orcid", token=token, next="/me/settings")
    assert done.headers["location"] == "/me/settings"
    assert program.asked[-1]["prompt"] == ["login"] and program.asked[-1]["max_age"] == ["0"]
    for claims in ({"auth_time": time.time() - 3600}, {"auth_time": None}, {"auth_time": "now"}):
        program.claims = claims
        done = through(client, program, ADA, "/sign-in/again/orcid", token=both.token(client))
        assert done.status_code == 400 and "peerscope-session" not in str(done.headers)
    program.claims = {"auth_time": just_now()}
    done = through(client, program, BO, "/sign-in/again/orcid", token=both.token(client))
    assert done.status_code == 403 and "yours goes with" in done.text


def test_a_link_begun_by_one_account_is_not_taken_by_another(both, program) -> None:
    member, other = both.member("Begun Example"), both.member("Taking Example")
    answer = program.agree(leave(member, "/me/link/orcid", token=both.token(member)), ADA)
    other.cookies.set("peerscope-flow", member.cookies["peerscope-flow"])
    refused(come_back(other, answer))
    with both.community.reading() as session:
        assert session.scalar(select(func.count()).select_from(Login)) == 0


def test_a_suspended_account_stays_out(both, program) -> None:
    joined(both, program, ADA, name="Out Example")
    with both.community.writing() as session:
        session.scalar(select(Account).where(Account.name == "Out Example")).state = "suspended"
    assert "suspended" in refused(through(both.browser(), program, ADA, ORCID), status=403)


def test_a_closed_site_makes_no_accounts(both, program) -> None:
    both.community.settings.sign_up = "closed"
    both.application.state.site.settings.sign_up = "closed"
    try:
        assert "ask its operator" in refused(
            through(both.browser(), program, BO, ORCID), status=403
        )
    finally:
        both.community.settings.sign_up = "open"


def test_forms_of_other_sites_begin_nothing(both) -> None:
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        assert both.browser().post(ORCID, data=FORM, headers=headers).status_code == 403
    assert both.browser().get(ORCID).status_code == 400
    assert both.browser().post("/sign-in/with/other", data=FORM).status_code == 404
    assert both.browser().get("/sign-in/new").status_code == 404


def test_no_secret_gets_into_the_log(both, program, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    client = both.browser()
    done = through(client, program, ADA, ORCID)
    sent = program.sent[-1]
    assert done.status_code == 303
    ours = "\n".join(
        f"{r.getMessage()} {r.args}" for r in caplog.records if r.name.startswith(("peerscope", "authlib"))
    )  # fmt: skip
    for secret in (sent["code_verifier"], "the secret of orcid", client.cookies["peerscope-flow"]):
        assert secret not in ours
