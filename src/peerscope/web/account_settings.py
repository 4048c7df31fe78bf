"""Settings of an account: name, address, password, ways to sign in, browsers; and signing in again."""

from __future__ import annotations

from fastapi import APIRouter, BackgroundTasks, Request, Response
from fastapi.responses import HTMLResponse

from peerscope.community import CommunityError, NotThereError, changes, logins
from peerscope.community import accounts as members
from peerscope.community.claiming import look_again
from peerscope.community.mail import Mail
from peerscope.community.passkeys import passkeys_of
from peerscope.community.sessions import close_all, close_session, sessions_of
from peerscope.community.tickets import look
from peerscope.web.accounts import begin, show
from peerscope.web.forms import back_to
from peerscope.web.passkeys import SETTINGS, number_in
from peerscope.web.site import Site, site_of
from peerscope.web.visitor import Form, SignedInVisitor, Visitor, client_address, recently

router = APIRouter(include_in_schema=False)

SAID = {
    "name": "Your name is changed.",
    "mail": "A mail to the new address is on its way. The address changes when you open the link in it.",
    "email": "Your address is changed.",
    "password": "Your password is set. You are signed in here only.",
    "sessions": "They are signed out.",
}
"""What a change says of itself on the page that follows."""


@router.get(SETTINGS, response_class=HTMLResponse)
def settings_page(request: Request, who: SignedInVisitor) -> Response:
    """Everything about the account that its holder may change."""
    return _page(request, who)


def _page(request: Request, who: Visitor, error: str = "", part: str = "") -> Response:
    community = site_of(request).community
    with community.reading() as session:
        ways = logins.ways_of(session, who.id)
        keys, browsers = passkeys_of(session, who.id), sessions_of(session, who.id)
    labels = {one.issuer: one.label for one in community.elsewhere.providers.values()}
    linked = {one.issuer for one in ways.logins}
    return show(
        request, "settings", 400 if error else 200, ways=ways, keys=keys, sessions=browsers,
        labels=labels, error=error, part=part,
        said=SAID.get(request.query_params.get("done", ""), ""),
        more=[one for one in community.elsewhere.providers.values() if one.issuer not in linked],
    )  # fmt: skip


@router.post("/me/name")
def name(request: Request, sent: Form) -> Response:
    """Change the name that others see."""
    try:
        with site_of(request).community.writing() as session:
            changes.change_name(session, sent.who.id, sent.get("name"))
    except CommunityError as error:
        return _page(request, sent.who, str(error), "name")
    return back_to(None, f"{SETTINGS}?done=name")


@router.post("/me/email")
def email(request: Request, sent: Form, later: BackgroundTasks) -> Response:
    """Send the link that changes the address."""
    recently(sent.who)
    community = site_of(request).community
    community.rates.spend("mail.address", client_address(request))
    community.rates.spend("mail", sent.get("email").strip().casefold()[:254])
    try:
        wanted = members.clean_email(sent.get("email"))
        with community.writing() as session:
            secret = changes.ask_for_email(session, sent.who.id, wanted)
    except CommunityError as error:
        return _page(request, sent.who, str(error), "email")
    later.add_task(_write_link, site_of(request), wanted, secret)
    return back_to(None, f"{SETTINGS}?done=mail")


def _write_link(site: Site, wanted: str, secret: str | None) -> None:
    name = site.settings.site_name
    if secret is None:
        text = (
            f"Somebody with an account at {name} wanted to change its address to this one. There is an "
            f"account with it already, so nothing was changed. If it was you, sign in with this address."
        )
    else:
        text = (
            f"To change the address of your account at {name} to this one, sign in there and open this "
            f"link within a day:\n\n{site.address}/me/email/{secret}\n\nIf you did not ask for this, do "
            f"nothing."
        )
    site.community.mailer.send(Mail(wanted, f"Your address at {name}", text + "\n"))


@router.get("/me/email/{secret}", response_class=HTMLResponse)
def email_page(request: Request, who: SignedInVisitor, secret: str) -> Response:
    """The form behind a link that changes the address."""
    with site_of(request).community.reading() as session:
        held = look(session, "email", secret)
    mine = held.account_id == who.id
    return show(
        request, "email", 200 if mine else 403, secret=secret, wanted=held.value if mine else ""
    )


@router.post("/me/email/{secret}")
def confirm(request: Request, sent: Form, secret: str, later: BackgroundTasks) -> Response:
    """Change the address, and tell the former one."""
    site = site_of(request)
    with site.community.writing() as session:
        former, _ = changes.confirm_email(session, sent.who.id, secret)
    if former:
        text = (
            f"Your account at {site.settings.site_name} has another e-mail address from now on; this one "
            f"signs in no longer. If you did not do this, tell the operator of the site.\n"
        )
        mail = Mail(former, f"Your address at {site.settings.site_name} was changed", text)
        later.add_task(site.community.mailer.send, mail)
    return back_to(None, f"{SETTINGS}?done=email")


@router.post("/me/password")
def password(request: Request, sent: Form, later: BackgroundTasks) -> Response:
    """Change the password, or set the first one; all other browsers are signed out."""
    community, who = site_of(request).community, sent.who
    with community.reading() as session:
        ways = logins.ways_of(session, who.id)
    if not ways.password:
        recently(who)
    community.rates.spend("sign-in", f"account:{who.id}")
    try:
        if not ways.email:
            raise CommunityError("A password goes with an e-mail address: add one first.")
        with community.writing() as session:
            if ways.password:
                members.check_password(session, who.id, sent.get("current"))
            members.set_password(session, who.id, sent.get("password"), who.account.session_id)
    except CommunityError as error:
        return _page(request, who, str(error), "password")
    _tell(site_of(request), later, ways.email, "password was changed")
    return back_to(None, f"{SETTINGS}?done=password")


@router.post("/me/password/remove")
def remove_password(request: Request, sent: Form, later: BackgroundTasks) -> Response:
    """Take the password away."""
    recently(sent.who)
    try:
        with site_of(request).community.writing() as session:
            address = logins.ways_of(session, sent.who.id).email
            changes.remove_password(session, sent.who.id)
    except CommunityError as error:
        return _page(request, sent.who, str(error), "ways")
    _tell(site_of(request), later, address, "password was removed")
    return back_to(None, SETTINGS)


def _tell(site: Site, later: BackgroundTasks, address: str, what: str) -> None:
    """Mail the holder what changed about signing in."""
    if address:
        text = (
            f"The {what} for your account at {site.settings.site_name}. If you did not do this, set a new "
            f"password at {site.address}/reset and tell the operator of the site.\n"
        )
        later.add_task(
            site.community.mailer.send,
            Mail(address, f"Your {what} at {site.settings.site_name}", text),
        )


@router.post("/me/logins/remove")
def remove_login(request: Request, sent: Form) -> Response:
    """Take an account elsewhere off, with the proofs that it made."""
    recently(sent.who)
    try:
        site = site_of(request)
        with site.community.writing() as session, site.database.session() as record:
            logins.detach(session, sent.who.id, number_in(sent.get("login")))
            look_again(session, record, sent.who.id)
    except NotThereError:
        raise
    except CommunityError as error:
        return _page(request, sent.who, str(error), "ways")
    return back_to(None, SETTINGS)


@router.post("/me/sessions/end")
def end_sessions(request: Request, sent: Form) -> Response:
    """Sign one other browser out, or all others."""
    recently(sent.who)
    with site_of(request).community.writing() as session:
        if sent.get("others") == "yes":
            close_all(session, sent.who.id, sent.who.account.session_id)
        else:
            close_session(session, sent.who.id, number_in(sent.get("session")))
    return back_to(None, f"{SETTINGS}?done=sessions")


@router.get("/sign-in/again", response_class=HTMLResponse)
def again_page(request: Request, who: SignedInVisitor) -> Response:
    """The form to show again who one is, before something grave."""
    return _again(request, who, request.query_params.get("next", ""))


@router.post("/sign-in/again")
def again(request: Request, sent: Form) -> Response:
    """Sign in again with the account's password."""
    community, back = site_of(request).community, sent.get("next")
    community.rates.spend("sign-in", f"account:{sent.who.id}")
    try:
        with community.reading() as session:
            members.check_password(session, sent.who.id, sent.get("password"))
    except CommunityError as error:
        return _again(request, sent.who, back, str(error))
    return begin(request, sent.who.id, "password", back)


def _again(request: Request, who: Visitor, back: str, error: str = "") -> Response:
    community = site_of(request).community
    with community.reading() as session:
        ways = logins.ways_of(session, who.id)
    linked = {one.issuer for one in ways.logins}
    usable = [one for one in community.elsewhere.providers.values() if one.issuer in linked]
    return show(
        request, "again", 400 if error else 200, ways=ways, usable=usable, back=back, error=error
    )
