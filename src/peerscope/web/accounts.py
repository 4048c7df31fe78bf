"""Joining, signing in and out, and setting a password anew.

Asking for a link answers the same whether the address has an account or not, and takes as long: mails are
made and sent after the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from peerscope.community import (
    CommunityError,
    ElsewhereError,
    NotAllowedError,
    NotThereError,
    tickets,
)
from peerscope.community import accounts as members
from peerscope.community.mail import Mail
from peerscope.community.passkeys import Place
from peerscope.community.proofs import LEVELS, proofs_of
from peerscope.community.sessions import close_session, open_session
from peerscope.web.forms import back_to, form
from peerscope.web.reader import own_answer
from peerscope.web.site import Site, site_of
from peerscope.web.visitor import (
    Form,
    SignedInVisitor,
    client_address,
    goodbye,
    visitor,
    welcome,
)

router = APIRouter(include_in_schema=False)

Fields = Annotated[Mapping[str, str], Depends(form)]
CLOSED = "This site takes no new accounts by itself; ask its operator for a link."


@router.get("/sign-in", response_class=HTMLResponse)
def sign_in_page(request: Request) -> Response:
    """The form to sign in."""
    back = request.query_params.get("next", "")
    if visitor(request) is not None:
        return back_to(back, "/me")
    return show(request, "sign_in", back=back)


@router.post("/sign-in")
def sign_in(request: Request, fields: Fields) -> Response:
    """Sign in with address and password."""
    site = site_of(request)
    email, back = fields.get("email", ""), fields.get("next", "")
    site.community.rates.spend("sign-in.address", client_address(request))
    site.community.rates.spend("sign-in", email.strip().casefold()[:254])
    try:
        with site.community.reading() as session:
            number = members.sign_in(session, email, fields.get("password", ""))
    except CommunityError as error:
        return show(request, "sign_in", 400, back=back, email=email, error=str(error))
    return begin(request, number, "password", back)


def begin(request: Request, account_id: int, how: str, back: str = "") -> Response:
    """Open a session and lead on; the one that was open in this browser before ends."""
    before = visitor(request)
    with site_of(request).community.writing() as session:
        if before is not None:
            close_session(session, before.id, before.account.session_id)
        secret = open_session(session, account_id, how)
    response = back_to(back, "/me")
    welcome(request, response, secret)
    return own_answer(response)


@router.post("/sign-out")
def sign_out(request: Request, sent: Form) -> Response:
    """End this session."""
    with site_of(request).community.writing() as session:
        close_session(session, sent.who.id, sent.who.account.session_id)
    response = RedirectResponse("/", 303)
    goodbye(request, response)
    response.headers["Clear-Site-Data"] = '"cache"'
    return own_answer(response)


@router.get("/join", response_class=HTMLResponse)
def join_page(request: Request) -> Response:
    """What an account is for, and the form to ask for a link."""
    if visitor(request) is not None:
        return RedirectResponse("/me", 303)
    return show(request, "join")


@router.post("/join")
def join(request: Request, fields: Fields, later: BackgroundTasks) -> Response:
    """Send a link to join; to somebody who has an account, a reminder."""
    if site_of(request).settings.sign_up != "open":
        raise HTTPException(403, CLOSED)
    return _ask(request, fields, later, "join")


@router.get("/reset", response_class=HTMLResponse)
def reset_page(request: Request) -> Response:
    """The form to ask for a link to set a password anew."""
    return show(request, "reset")


@router.post("/reset")
def reset(request: Request, fields: Fields, later: BackgroundTasks) -> Response:
    """Send a link to set a password anew, where there is an account."""
    return _ask(request, fields, later, "reset")


def _ask(
    request: Request, fields: Mapping[str, str], later: BackgroundTasks, kind: str
) -> Response:
    site = site_of(request)
    try:
        email = members.clean_email(fields.get("email", ""))
    except CommunityError as error:
        return show(request, kind, 400, email=fields.get("email", ""), error=str(error))
    site.community.rates.spend("mail.address", client_address(request))
    site.community.rates.spend("mail", email)
    later.add_task(_write, site, address_of(request), email, kind)
    return show(request, "sent", email=email, to_log=not site.community.mailer.sends)


def _write(site: Site, address: str, email: str, kind: str) -> None:
    """Mail the link that was asked for, or what there is instead."""
    name = site.settings.site_name
    with site.community.writing() as session:
        number = members.account_of_email(session, email)
        if kind == "join" and number is None:
            secret = tickets.issue(session, "join", value=email)
            subject = f"Join {name}"
            text = f"To join {name}, open this link within a day:\n\n{address}/join/{secret}"
        elif number is not None:
            secret = tickets.issue(session, "reset", number)
            subject = f"Your account at {name}"
            text = (
                f"There is an account at {name} with this address. Sign in at {address}/sign-in, or "
                f"set a new password within an hour:\n\n{address}/reset/{secret}"
            )
        else:
            # The mail says to its reader what the page must not say to whoever asked.
            subject = f"No account at {name}"
            text = f"Somebody asked for a new password for this address at {name}; it has no account there."
    end = "\n\nIf you did not ask for this, do nothing.\n"
    site.community.mailer.send(Mail(email, subject, text + end))


@router.get("/join/{secret}", response_class=HTMLResponse)
def joining_page(request: Request, secret: str) -> Response:
    """The form behind a link to join."""
    kind, held = _held(request, secret)
    return show(request, "joining", secret=secret, email=held.value, first=kind == "admin")


@router.post("/join/{secret}")
def joining(request: Request, fields: Fields, secret: str) -> Response:
    """Make the account that a link is for, and sign in."""
    kind, held = _held(request, secret)
    given = {name: fields.get(name, "") for name in ("name", "email", "password")}
    email = held.value or given["email"]
    try:
        with site_of(request).community.writing() as session:
            tickets.use(session, kind, secret)
            number = members.create_account(
                session, given["name"], email=email, password=given["password"],
                role="admin" if kind == "admin" else "member",
                confirmed="a link that was mailed to it" if held.value else "",
            )  # fmt: skip
    except NotThereError:
        raise
    except CommunityError as error:
        return show(
            request, "joining", 400, secret=secret, email=email, first=kind == "admin",
            name=given["name"], error=str(error),
        )  # fmt: skip
    return begin(request, number, "link")


def _held(request: Request, secret: str) -> tuple[str, tickets.Held]:
    with site_of(request).community.reading() as session:
        try:
            return "join", tickets.look(session, "join", secret)
        except NotThereError:
            return "admin", tickets.look(session, "admin", secret)


@router.get("/reset/{secret}", response_class=HTMLResponse)
def resetting_page(request: Request, secret: str) -> Response:
    """The form behind a link to set a password anew."""
    with site_of(request).community.reading() as session:
        tickets.look(session, "reset", secret)
    return show(request, "resetting", secret=secret)


@router.post("/reset/{secret}")
def resetting(request: Request, fields: Fields, secret: str) -> Response:
    """Set a password anew, end all sessions, and sign in."""
    try:
        with site_of(request).community.writing() as session:
            held = tickets.use(session, "reset", secret)
            number = held.account_id or 0
            members.set_password(session, number, fields.get("password", ""))
    except NotThereError:
        raise
    except CommunityError as error:
        return show(request, "resetting", 400, secret=secret, error=str(error))
    return begin(request, number, "link")


@router.get("/me", response_class=HTMLResponse)
def me(request: Request, who: SignedInVisitor) -> Response:
    """The account's own page."""
    with site_of(request).community.reading() as session:
        proofs = proofs_of(session, who.id)
    return show(request, "me", proofs=proofs, levels=LEVELS)


def address_of(request: Request) -> str:
    """The site's own address, as mails and absolute links name it."""
    return site_of(request).address


def sign_in_form(
    request: Request, error: CommunityError, back: str = "", template: str = "sign_in"
) -> Response:
    """The form to sign in, or another page with its fields, with what went wrong."""
    status = {NotAllowedError: 403, ElsewhereError: 502}.get(type(error), 400)
    return show(request, template, status, back=back, error=str(error))


def show(request: Request, template: str, status: int = 200, **values: object) -> Response:
    """A page of an account, which no cache keeps."""
    blank: dict[str, object] = {
        "back": "",
        "email": "",
        "error": "",
        "secret": "",
        "name": "",
        "first": False,
    }
    site = site_of(request)
    blank |= {"to_log": False, "can_passkey": Place.of(site.address).usable}
    blank |= {"providers": site.community.elsewhere.providers.values()}
    page = site.page(request, f"accounts/{template}.html", status, **(blank | values))
    return own_answer(page)
