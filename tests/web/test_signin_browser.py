"""Signing in in Debian's chromium: with its virtual authenticator, and at a provider on loopback."""

from __future__ import annotations

import json
import threading
import time
from urllib.parse import parse_qs

import httpx2
import pytest
import uvicorn
from openid_program import running
from sqlalchemy import select

from peerscope.community.models import Account, Proof
from peerscope.community.passkey_models import Passkey

pytestmark = pytest.mark.browser
ADA = "0000-0002-1825-0097"
SETTINGS = "/me/settings"


@pytest.fixture(scope="module")
def program():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
        with running() as found:
            yield found


@pytest.fixture(scope="module")
def people(small_society, program, quick_hashes):
    """A served site at http://localhost, which browsers take for a safe place."""
    made = small_society(
        orcid_client_id="peerscope", orcid_client_secret="x", orcid_base=program.address
    )
    server = uvicorn.Server(uvicorn.Config(made.application, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    made.address = f"http://localhost:{server.servers[0].sockets[0].getsockname()[1]}"
    made.application.state.site.address = made.address
    yield made
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture
def context(browser, people):
    people.community.rates.clear()
    opened = browser.new_context()
    opened.messages = []
    yield opened
    opened.close()


def authenticator(context, *, verified: bool = True):
    """A page, and the device that chromium plays for it."""
    page = context.new_page()
    page.on("console", lambda message: context.messages.append(message.text))
    device = context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
        "hasUserVerification": True, "isUserVerified": verified,
        "automaticPresenceSimulation": True,
    }  # fmt: skip
    device.number = device.send("WebAuthn.addVirtualAuthenticator", {"options": options})[
        "authenticatorId"
    ]
    return page, device


def enter(people, context, name: str):
    """A member who is signed in in this browser."""
    member = people.member(name)
    context.add_cookies(
        [{"name": "peerscope-session", "value": member.cookies["peerscope-session"],
          "url": people.address}]
    )  # fmt: skip
    return member


def added(people, page, name: str = "Test device") -> None:
    page.goto(people.address + SETTINGS)
    page.get_by_label("New passkey, called").fill(name)
    page.get_by_role("button", name="Add a passkey").click()
    page.wait_for_selector(f"text=Passkey {name}")


def signed_out(people, context) -> None:
    context.clear_cookies()


def test_a_passkey_from_adding_to_removing(people, context) -> None:
    member = enter(people, context, "Key Example")
    page, device = authenticator(context)
    added(people, page)
    kept = device.send("WebAuthn.getCredentials", {"authenticatorId": device.number})["credentials"]
    assert len(kept) == 1 and kept[0]["isResidentCredential"]
    signed_out(people, context)
    page.goto(f"{people.address}/sign-in?next=/me/settings")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(people.address + SETTINGS)
    assert page.get_by_text("with a passkey, used").count() == 1
    page.get_by_label("New name of Test device").fill("Old phone")
    page.get_by_role("button", name="Rename Test device").click()
    page.wait_for_selector("text=Passkey Old phone")
    page.get_by_role("button", name="Remove Old phone").click()
    page.wait_for_selector("text=Old phone", state="detached")
    signed_out(people, context)
    page.goto(f"{people.address}/sign-in")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_selector("text=No account here has this passkey")
    assert context.messages == [
        "Failed to load resource: the server responded with a status of 400 (Bad Request)"
    ]
    with people.community.reading() as session:
        assert (
            session.scalar(select(Passkey).where(Passkey.account_id == member.account_id)) is None
        )


def test_a_device_that_does_not_ask_its_holder_is_not_enough(people, context) -> None:
    enter(people, context, "Unasked Example")
    page, _ = authenticator(context, verified=False)
    page.goto(people.address + SETTINGS)
    page.get_by_role("button", name="Add a passkey").click()
    page.wait_for_selector("text=It did not work, or you ended it")


def test_a_device_is_added_once(people, context) -> None:
    enter(people, context, "Once Example")
    page, _ = authenticator(context)
    added(people, page)
    page.get_by_role("button", name="Add a passkey").click()
    page.wait_for_selector("text=has a passkey for your account already")


def caught(people, context, page) -> tuple[dict[str, str], str]:
    """What a device answered when signing in, caught before it reached the site; and the browser's cookie."""
    sent: list[str] = []

    def catch(route):
        sent.append(route.request.post_data)
        route.abort()

    page.route("**/sign-in/passkey", catch)
    page.goto(f"{people.address}/sign-in")
    page.get_by_role("button", name="Sign in with a passkey").click()
    for _ in range(100):
        if sent:
            break
        page.wait_for_timeout(50)
    page.unroute("**/sign-in/passkey")
    flow = next(one["value"] for one in context.cookies() if one["name"] == "peerscope-flow")
    return {name: values[0] for name, values in parse_qs(sent[0]).items()}, flow


def send(people, fields: dict[str, str], flow: str) -> httpx2.Response:
    return httpx2.post(
        f"{people.address}/sign-in/passkey", data=fields, follow_redirects=False,
        headers={"cookie": f"peerscope-flow={flow}", "sec-fetch-site": "same-origin"},
    )  # fmt: skip


def test_an_answer_of_a_device_is_good_once_in_one_browser(people, context) -> None:
    member = enter(people, context, "Replay Example")
    page, _ = authenticator(context)
    added(people, page)
    signed_out(people, context)

    fields, flow = caught(people, context, page)
    other = httpx2.post(
        f"{people.address}/sign-in/passkey/options", data={"next": ""},
        headers={"sec-fetch-site": "same-origin"},
    )  # fmt: skip
    assert send(people, fields, other.cookies["peerscope-flow"]).status_code == 400
    assert send(people, fields, flow).status_code == 303
    assert send(people, fields, flow).status_code == 400

    for change in ("signature", "authenticatorData", "clientDataJSON", "userHandle"):
        fields, flow = caught(people, context, page)
        answer = json.loads(fields["credential"])
        right = answer["response"][change]
        answer["response"][change] = right[:-8] + ("A" * 8 if right[-8:] != "A" * 8 else "B" * 8)
        assert send(people, fields | {"credential": json.dumps(answer)}, flow).status_code == 400

    fields, flow = caught(people, context, page)
    people.application.state.site.address = "http://localhost:1"
    try:
        assert send(people, fields, flow).status_code == 400  # made for another place
    finally:
        people.application.state.site.address = people.address

    fields, flow = caught(people, context, page)
    with people.community.writing() as session:
        session.get(Account, member.account_id).state = "suspended"
    refused = send(people, fields, flow)
    assert refused.status_code == 403 and "suspended" in refused.text


def test_a_passkey_of_somebody_else_is_neither_renamed_nor_removed(people, context) -> None:
    member = enter(people, context, "Owning Example")
    page, _ = authenticator(context)
    added(people, page, "Mine")
    with people.community.reading() as session:
        number = session.scalar(select(Passkey.id).where(Passkey.account_id == member.account_id))
    thief = people.member("Thief Example")
    for address in ("/me/passkeys/remove", "/me/passkeys/rename"):
        done = people.post(thief, address, passkey=str(number), name="stolen")
        assert done.status_code == 404
    assert "Passkey <bdi>Mine" in member.get(SETTINGS).text


HOSTILE = [
    "", "{}", "[]", "null", "[" * 15_000, "x", '{"id": 5}', '{"id": "a", "rawId": "b"}', "\x00",
    '{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"AA","attestationObject":"AA",'
    '"authenticatorData":"AA","signature":"AA","userHandle":"AA"}}',
    '{"id":"é","rawId":"é","type":"public-key","response":{"clientDataJSON":"é","attestationObject":"é",'
    '"authenticatorData":"é","signature":"é","userHandle":"é"}}',
]  # fmt: skip


@pytest.mark.parametrize("answer", HOSTILE, ids=range(len(HOSTILE)))
def test_what_no_device_made_is_a_sentence(people, answer) -> None:
    people.community.rates.clear()
    stranger, member = people.browser(), people.member("Hostile Example")
    assert stranger.post("/sign-in/passkey/options", data={"next": ""}).status_code == 200
    refused = stranger.post("/sign-in/passkey", data={"credential": answer})
    assert refused.status_code == 400
    assert people.post(member, "/me/passkeys/options", SETTINGS).status_code == 200
    assert people.post(member, "/me/passkeys/add", SETTINGS, credential=answer).status_code == 400
    again = people.post(member, "/me/passkeys/add", SETTINGS, credential=answer)
    assert again.status_code == 404  # the challenge was used up


def test_orcid_in_a_browser_from_joining_to_signing_in(people, context, program) -> None:
    """The policy for forms lets the browser leave for the provider, with and without script."""
    program.claims = {"given_name": "Ada", "family_name": "Example"}
    page = context.new_page()
    page.on("console", lambda message: context.messages.append(message.text))
    for first in (True, False):
        page.goto(f"{people.address}/sign-in?next=/me")
        page.get_by_role("button", name="Sign in with ORCID").click()
        page.wait_for_url(f"{program.address}/**")
        page.locator("input[name=sub]").first.fill(ADA)
        page.locator("button[type=submit], input[type=submit]").first.click()
        if first:
            page.wait_for_url("**/sign-in/new")
            assert ADA in page.locator("main").inner_text()
            page.get_by_role("button", name="Make the account").click()
        page.wait_for_url(people.address + "/me")
        assert "Ada Example" in page.locator("main").inner_text()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(f"{people.address}/")
    assert [one for one in context.messages if "Content Security Policy" in one] == []
    with people.community.reading() as session:
        assert session.scalar(select(Proof.value).where(Proof.kind == "orcid")) == ADA


def test_without_script_nothing_of_passkeys_is_there(browser, people) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{people.address}/sign-in")
    assert page.get_by_role("button", name="Sign in with a passkey").count() == 0
    assert page.get_by_role("button", name="Sign in with ORCID").is_visible()
    context.close()


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_no_page_of_an_account_breaks_a_rule_of_accessibility(browser, people, look) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    context = browser.new_context(
        viewport={"width": 390 if look == "phone" else 1100, "height": 800},
        color_scheme="dark" if look == "dark" else "light",
    )
    context.messages = []
    enter(people, context, "Looked At Example")
    page, _ = authenticator(context)
    added(people, page, "A device with a name that is rather long")
    addresses = [
        SETTINGS + "?done=name",
        "/sign-in/again?next=/me/settings",
        "/me",
        "/sign-in/with/orcid",
    ]
    for address in addresses:
        page.goto(people.address + address)
        broken = axe.Axe().run(page).response["violations"]
        assert [(rule["id"], rule["nodes"][0]["html"]) for rule in broken] == [], address
        assert page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        ) <= 0, address  # fmt: skip
    context.close()
