"""The page of an account's proofs, and the routes to them that this site offers itself."""

from __future__ import annotations

from fastapi import APIRouter, BackgroundTasks, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from peerscope.community import CommunityError, claiming, domains, times, vouching
from peerscope.community.accounts import names_of
from peerscope.community.ladder import next_steps
from peerscope.community.mail import Mail
from peerscope.community.proofs import LEVELS, proofs_of
from peerscope.web.accounts import address_of
from peerscope.web.reader import own_answer
from peerscope.web.site import Site, site_of
from peerscope.web.visitor import Form, SignedInVisitor, Visitor, client_address

router = APIRouter(include_in_schema=False)
PAGE = "/me/proofs"
NUMBER_DIGITS = 15


def number_in(given: str) -> int:
    """A number that a form sent; 0, which nothing has, where it is none."""
    return int(given) if given.isascii() and given.isdigit() and len(given) <= NUMBER_DIGITS else 0


@router.get(PAGE, response_class=HTMLResponse)
def proofs(request: Request, who: SignedInVisitor) -> Response:
    """What was shown of the account, by whom, when, until when; and the next step up."""
    return _page(request, who)


def _page(request: Request, who: Visitor, status: int = 200, **values: object) -> Response:
    site = site_of(request)
    with site.community.reading() as session:
        shown = proofs_of(session, who.id)
        holding = [one for one in shown if one.in_force(times.now())]
        level = max((one.rung for one in holding), default=0)
        falls = {
            one.id: (
                claiming.level_without(session, who.id, one.id),
                claiming.rests_on(session, who.id, one.id),
            )
            for one in holding
        }
        given = vouching.vouches_by(session, who.id)
        names = names_of(session, {one.verifier_id for one in shown if one.verifier_id})
        known = domains.known_domains(session)
    blank: dict[str, object] = {"error": "", "address": "", "link": "", "sent": ""}
    page = site.page(
        request, "claiming/proofs.html", status,
        proofs=shown, level=level, levels=LEVELS, falls=falls, given=given, names=names,
        steps=next_steps(level, holding), known_domains=known,
        to_log=not site.community.mailer.sends, now=times.now(), most=vouching.A_YEAR,
        **(blank | values),
    )  # fmt: skip
    return own_answer(page)


@router.post(PAGE + "/domain")
def ask_domain(request: Request, sent: Form, later: BackgroundTasks) -> Response:
    """Mail a link to an address at an institution. The answer is the same whoever has the address."""
    site, address = site_of(request), sent.get("mail")
    try:
        with site.community.writing() as session:
            normal, place, secret = domains.ask_domain(session, sent.who.id, address)
            site.community.rates.spend("domain", sent.who.id)
            site.community.rates.spend("mail.address", client_address(request))
            site.community.rates.spend("mail", normal.casefold())
    except CommunityError as error:
        if type(error) is not CommunityError:
            raise
        return _page(request, sent.who, 400, error=str(error), address=address)
    later.add_task(_mail, site, normal, place.label, f"{address_of(request)}{PAGE}/domain/{secret}")
    return _page(request, sent.who, sent=f"{normal} ({place.label})")


def _mail(site: Site, address: str, label: str, link: str) -> None:
    name = site.settings.site_name
    text = (
        f"Somebody who has an account at {name} says that this address is theirs, to show that they "
        f"are at {label}. If that is you, sign in and open this link within a day:\n\n{link}\n\n"
        "The address is not kept, only its domain and a hash. If it is not you, do nothing.\n"
    )
    site.community.mailer.send(Mail(address, f"Confirm your address for {name}", text))


@router.get(PAGE + "/domain/{secret}", response_class=HTMLResponse)
def domain_page(request: Request, secret: str, who: SignedInVisitor) -> Response:
    """The form behind a mailed link: looking at it proves nothing, since programs open links in mails."""
    site = site_of(request)
    with site.community.reading() as session:
        place = domains.look_domain(session, who.id, secret)
    return own_answer(site.page(request, "claiming/domain.html", place=place, secret=secret))


@router.post(PAGE + "/domain/{secret}")
def confirm_domain(request: Request, sent: Form, secret: str) -> Response:
    """Complete the proof."""
    site = site_of(request)
    with site.community.writing() as session, site.database.session() as record:
        domains.confirm_domain(session, sent.who.id, secret)
        claiming.look_again(session, record, sent.who.id)
    return RedirectResponse(PAGE, 303)


@router.post(PAGE + "/revoke")
def revoke(request: Request, sent: Form) -> Response:
    """Revoke a proof of one's own."""
    site = site_of(request)
    with site.community.writing() as session, site.database.session() as record:
        number = number_in(sent.get("proof"))
        claiming.revoke(session, record, sent.who.id, number, sent.get("why"))
    return RedirectResponse(PAGE, 303)


@router.post(PAGE + "/vouch-link")
def vouch_link(request: Request, sent: Form) -> Response:
    """Make a link by which somebody else can vouch; shown once, since only its hash is kept."""
    site = site_of(request)
    site.community.rates.spend("vouch.link", sent.who.id)
    with site.community.writing() as session:
        secret = vouching.vouch_link(session, sent.who.id)
    return _page(request, sent.who, link=f"{address_of(request)}/vouch/{secret}")


@router.post(PAGE + "/take-back")
def take_back(request: Request, sent: Form) -> Response:
    """Take back a vouch that one gave."""
    with site_of(request).community.writing() as session:
        vouching.take_back(session, sent.who.id, number_in(sent.get("proof")))
    return RedirectResponse(PAGE, 303)


@router.get("/vouch/{secret}", response_class=HTMLResponse)
def vouch_page(request: Request, secret: str, who: SignedInVisitor) -> Response:
    """Who asks to be vouched for, and the form."""
    return _vouch_page(request, secret, who)


def _vouch_page(
    request: Request, secret: str, who: Visitor, status: int = 200, error: str = "", line: str = ""
) -> Response:
    site = site_of(request)
    with site.community.reading() as session:
        account_id, name = vouching.asker_of(session, secret)
        refused = vouching.why_not_vouch(session, who.id, account_id)
    page = site.page(
        request, "claiming/vouch.html", status, name=name, secret=secret, refused=refused,
        error=error, line=line,
    )  # fmt: skip
    return own_answer(page)


@router.post("/vouch/{secret}")
def vouch(request: Request, sent: Form, secret: str) -> Response:
    """Vouch for whoever made the link."""
    try:
        with site_of(request).community.writing() as session:
            vouching.vouch(session, sent.who.id, secret, sent.get("line"))
    except CommunityError as error:
        if type(error) is not CommunityError:
            raise
        return _vouch_page(request, secret, sent.who, 400, str(error), sent.get("line"))
    return RedirectResponse(PAGE, 303)
