"""Signing in elsewhere: leaving for a provider, returning, joining, and linking to an account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from peerscope.community import CommunityError, NotAllowedError, NotThereError
from peerscope.community.claiming import look_again
from peerscope.community.logins import account_of, attach, join_with, prove
from peerscope.community.openid import FOREIGN, Identity, Provider
from peerscope.web.accounts import CLOSED, Fields, begin, show, sign_in_form
from peerscope.web.flow import begin_flow, glance, hand_over, let_go, take
from peerscope.web.forms import back_to
from peerscope.web.site import site_of
from peerscope.web.visitor import Form, client_address, recently, visitor

router = APIRouter(include_in_schema=False)


@router.post("/sign-in/with/{key}")
def leave(request: Request, fields: Fields, key: str) -> Response:
    """Begin to sign in elsewhere."""
    site_of(request).community.rates.spend("sign-in.address", client_address(request))
    return _leave(request, key, "sign-in", fields.get("next", ""))


@router.post("/me/link/{key}")
def leave_to_link(request: Request, sent: Form, key: str) -> Response:
    """Begin to add an account elsewhere as a way to sign in."""
    recently(sent.who)
    return _leave(request, key, "link", "/me/settings", sent.who.id)


@router.post("/sign-in/again/{key}")
def leave_again(request: Request, sent: Form, key: str) -> Response:
    """Begin to show by an account elsewhere who one is."""
    return _leave(request, key, "again", sent.get("next"), sent.who.id)


def _leave(
    request: Request, key: str, purpose: str, back: str, account_id: int | None = None
) -> Response:
    provider, site = _provider(request, key), site_of(request)
    here = f"{site.address}/sign-in/with/{key}"
    try:
        address, kept = site.community.elsewhere.begin(provider, here, again=purpose == "again")
    except CommunityError as error:
        return _failed(request, error, purpose, back)
    kept |= {"purpose": purpose, "next": back[:2000]}
    secret = begin_flow(request, "oidc", kept, account_id)
    # A page that leads on, not a redirect: browsers hold the policy for forms of this site against it.
    response = show(request, "leaving", address=address, label=provider.label)
    hand_over(request, response, secret, "oidc")
    return response


@router.get("/sign-in/with/{key}")
def returned(request: Request, key: str) -> Response:
    """What a provider answered, by way of the browser."""
    provider, who = _provider(request, key), visitor(request)
    try:
        kept = _taken(request)
        purpose, back = kept["purpose"], kept["next"]
    except NotThereError:
        return _failed(request, CommunityError(FOREIGN), "sign-in", "")
    try:
        elsewhere = site_of(request).community.elsewhere
        identity = elsewhere.finish(provider, kept, request.query_params)
        if purpose == "link":
            return _link(request, provider, identity, back)
        return _sign_in(request, provider, identity, back, again=purpose == "again")
    except CommunityError as error:
        return _failed(request, error, purpose if who is not None else "sign-in", back)


def _taken(request: Request) -> dict[str, str]:
    """What this browser began: for nobody yet, or for the account that is signed in still."""
    who = visitor(request)
    kept = glance(request, "oidc")
    mine = who.id if who is not None and kept["purpose"] != "sign-in" else None
    return take(request, "oidc", mine)


def _sign_in(
    request: Request, provider: Provider, identity: Identity, back: str, again: bool
) -> Response:
    site, who = site_of(request), visitor(request)
    with site.community.writing() as session, site.database.session() as record:
        number = account_of(session, identity)
        if again and (who is None or number != who.id):
            raise NotAllowedError(
                f"This is not the account at {provider.label} that yours goes with."
            )
        if number is not None:
            prove(session, number, provider, identity)
            look_again(session, record, number)
    if number is not None:
        response = begin(request, number, f"oidc:{identity.issuer}", back)
        let_go(request, response)
        return response
    if site.settings.sign_up != "open":
        raise NotAllowedError(f"No account here goes with this one at {provider.label}. {CLOSED}")
    secret = begin_flow(request, "newcomer", asdict(identity) | {"next": back}, None)
    response = RedirectResponse("/sign-in/new", 303)
    hand_over(request, response, secret, "newcomer")
    return response


def _link(request: Request, provider: Provider, identity: Identity, back: str) -> Response:
    who = visitor(request)
    if who is None:
        raise CommunityError(FOREIGN)
    site = site_of(request)
    with site.community.writing() as session, site.database.session() as record:
        attach(session, who.id, provider, identity)
        look_again(session, record, who.id)
    response = back_to(back, "/me/settings")
    let_go(request, response)
    return response


@router.get("/sign-in/new", response_class=HTMLResponse)
def newcomer_page(request: Request) -> Response:
    """The form to make an account for somebody known elsewhere."""
    kept = glance(request, "newcomer")
    return _newcomer(request, kept, name=kept["name"])


@router.post("/sign-in/new")
def newcomer(request: Request, fields: Fields) -> Response:
    """Make an account for somebody known elsewhere, and sign in."""
    site = site_of(request)
    if site.settings.sign_up != "open":
        raise HTTPException(403, CLOSED)
    site.community.rates.spend("sign-in.address", client_address(request))
    kept, name = glance(request, "newcomer"), fields.get("name", "")
    provider, identity = _provider(request, kept["provider"]), _identity(kept)
    email = identity.email if fields.get("email") == "yes" else ""
    try:
        with site.community.writing() as session:
            number = join_with(session, provider, identity, name, email)
    except CommunityError as error:
        return _newcomer(request, kept, 400, name=name, error=str(error))
    take(request, "newcomer")
    response = begin(request, number, f"oidc:{identity.issuer}", kept["next"])
    let_go(request, response)
    return response


def _newcomer(
    request: Request, kept: Mapping[str, str], status: int = 200, **values: str
) -> Response:
    provider = _provider(request, kept["provider"])
    return show(
        request, "newcomer", status, label=provider.label, orcid=kept["orcid"], email=kept["email"],
        **values,
    )  # fmt: skip


def _identity(kept: Mapping[str, str]) -> Identity:
    return Identity(**{name: kept[name] for name in Identity.__dataclass_fields__})


def _failed(request: Request, error: CommunityError, purpose: str, back: str) -> Response:
    """What went wrong, where they can go on: the form to sign in, or their settings."""
    template = {"link": "failed", "again": "failed"}.get(purpose, "sign_in")
    response = sign_in_form(request, error, back, template)
    let_go(request, response)
    return response


def _provider(request: Request, key: str) -> Provider:
    try:
        return site_of(request).community.elsewhere.providers[key]
    except KeyError as error:
        raise HTTPException(404) from error
