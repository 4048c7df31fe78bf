"""Passkeys: what a browser is asked, and what it answered. They need a script; all else works without."""

from __future__ import annotations

import json

from fastapi import APIRouter, Request, Response

from peerscope.community import CommunityError
from peerscope.community.passkeys import (
    Place,
    add_passkey,
    asked_to_add,
    asked_to_sign_in,
    remove_passkey,
    rename_passkey,
    sign_in_by,
)
from peerscope.community.tokens import new_secret
from peerscope.web.accounts import Fields, begin, sign_in_form
from peerscope.web.flow import begin_flow, hand_over, let_go, take
from peerscope.web.forms import back_to
from peerscope.web.reader import own_answer
from peerscope.web.site import site_of
from peerscope.web.visitor import Form, client_address, recently

router = APIRouter(include_in_schema=False)
SETTINGS = "/me/settings"


@router.post("/sign-in/passkey/options")
def sign_in_options(request: Request, _: Fields) -> Response:
    """What the browser has to ask a device for."""
    site = site_of(request)
    site.community.rates.spend("sign-in.address", client_address(request))
    challenge = new_secret()
    return _asked(request, asked_to_sign_in(challenge, _place(request)), challenge, None)


@router.post("/sign-in/passkey")
def sign_in(request: Request, fields: Fields) -> Response:
    """Sign in by a passkey."""
    back = fields.get("next", "")
    try:
        challenge = take(request, "passkey")["challenge"]
        with site_of(request).community.writing() as session:
            number = sign_in_by(
                session, fields.get("credential", ""), challenge=challenge, place=_place(request)
            )
    except CommunityError as error:
        return sign_in_form(request, error, back)
    response = begin(request, number, "passkey", back)
    let_go(request, response)
    return response


@router.post("/me/passkeys/options")
def add_options(request: Request, sent: Form) -> Response:
    """What the browser has to ask a device for, to make a passkey."""
    recently(sent.who)
    site, challenge = site_of(request), new_secret()
    with site.community.reading() as session:
        options = asked_to_add(
            session, sent.who.id, challenge, _place(request), site.settings.site_name
        )
    return _asked(request, options, challenge, sent.who.id)


@router.post("/me/passkeys/add")
def add(request: Request, sent: Form) -> Response:
    """Keep a passkey that the browser made."""
    recently(sent.who)
    kept = take(request, "passkey", sent.who.id)
    with site_of(request).community.writing() as session:
        add_passkey(
            session, sent.who.id, sent.get("credential"), challenge=kept["challenge"],
            handle=kept["handle"], name=sent.get("name"), place=_place(request),
        )  # fmt: skip
    response = back_to(None, SETTINGS)
    let_go(request, response)
    return response


@router.post("/me/passkeys/rename")
def rename(request: Request, sent: Form) -> Response:
    """Call a passkey something else."""
    with site_of(request).community.writing() as session:
        rename_passkey(session, sent.who.id, number_in(sent.get("passkey")), sent.get("name"))
    return back_to(None, SETTINGS)


@router.post("/me/passkeys/remove")
def remove(request: Request, sent: Form) -> Response:
    """Let a passkey sign in no longer."""
    recently(sent.who)
    with site_of(request).community.writing() as session:
        remove_passkey(session, sent.who.id, number_in(sent.get("passkey")))
    return back_to(None, SETTINGS)


def number_in(given: str) -> int:
    """A number from a form; 0, which nothing has, where it is none."""
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else 0


def _asked(request: Request, options: str, challenge: str, account_id: int | None) -> Response:
    handle = json.loads(options).get("user", {}).get("id", "")
    secret = begin_flow(request, "passkey", {"challenge": challenge, "handle": handle}, account_id)
    response = Response(options, media_type="application/json")
    hand_over(request, response, secret, "passkey")
    return own_answer(response)


def _place(request: Request) -> Place:
    return Place.of(site_of(request).address)
