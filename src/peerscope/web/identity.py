"""Pages on who is who: a person's workbench, previews, decisions, undoing, history, and what waits."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from peerscope.community import curation
from peerscope.record import WriterBusyError
from peerscope.record.identity_asked import LARGEST, UNREADABLE, Asked, look_at
from peerscope.record.identity_events import Consequences, IdentityError, history, history_count
from peerscope.record.models import Person
from peerscope.record.oeuvre import MOST_WORKS, oeuvre_of_person
from peerscope.record.partition import Partition, suggested_partition
from peerscope.record.read import PageOf
from peerscope.record.same_person import SAYS, lookalikes
from peerscope.web.asked import page_in
from peerscope.web.site import Site, site_of
from peerscope.web.visitor import Form, SignedInVisitor, visitor

router = APIRouter(include_in_schema=False)

WORKS_SHOWN = 60
"""Works with a choice of their own on one page."""

EVENTS_SHOWN = 10
PATIENCE = 3.0
"""Seconds that a form waits while the record is written to."""

PERSON = r"A\d{1,15}"
T = TypeVar("T")


@router.get("/people/A{number:int}/identity", response_class=HTMLResponse)
def workbench(request: Request, number: int) -> Response:
    """How a person's works may fall apart, who else they could be, and what was decided."""
    site, who = site_of(request), visitor(request)
    page = page_in(request.query_params)
    with site.database.session() as session:
        person = session.get(Person, _there(number))
        if person is None:
            raise HTTPException(404)
        if person.merged_into_id is not None:
            query = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(f"/people/A{person.merged_into_id}/identity{query}", 302)
        oeuvre = oeuvre_of_person(session, number)
        suggested = suggested_partition(oeuvre)
        alike = lookalikes(session, number)
        past = history(session, number, EVENTS_SHOWN)
        works = {own.work: own for own in oeuvre.works}
        shown: PageOf[int] = PageOf(
            (), len(works), min(page, -(-len(works) // WORKS_SHOWN) or 1), WORKS_SHOWN
        )
        return _shown(
            request, "workbench",
            person=person,
            suggested=suggested,
            sections=_sections(suggested, shown.page),
            shown=shown,
            elsewhere=_elsewhere(suggested, shown.page),
            works=works,
            all_compared=len(works) < MOST_WORKS,
            alike=alike,
            says=SAYS,
            past=past,
            names=_names(site, past),
            done=_number(request.query_params.get("event")),
            waits=_number(request.query_params.get("request")),
            who=who,
        )  # fmt: skip


def _listed(suggested: Partition) -> list[tuple[int, int, int]]:
    """Part, group and work, the smallest part first: what is to be parted stands on the first page."""
    order = sorted(range(len(suggested.parts)), key=lambda i: (len(suggested.parts[i].works), i))
    return [
        (part, place, work)
        for part in order
        for place, group in enumerate(suggested.parts[part].groups)
        for work in group
    ]


def _sections(suggested: Partition, page: int) -> list[tuple[int, list[tuple[int, list[int]]]]]:
    """The works of a page, by part and group; those that nothing links stand together as group -1."""
    rows = _listed(suggested)[(page - 1) * WORKS_SHOWN : page * WORKS_SHOWN]
    parts: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for part, group, work in rows:
        alone = len(suggested.parts[part].groups[group]) == 1
        parts[part][-1 if alone else group].append(work)
    return [(part, list(groups.items())) for part, groups in parts.items()]


def _elsewhere(suggested: Partition, page: int) -> str:
    """The suggestion for works of other pages, as `_split` reads it: ``2:301,302;3:17``."""
    parts: dict[int, list[int]] = defaultdict(list)
    for place, (part, _, work) in enumerate(_listed(suggested)):
        if part and place // WORKS_SHOWN != page - 1:
            parts[part].append(work)
    return ";".join(f"{part + 1}:{','.join(map(str, works))}" for part, works in parts.items())


@router.post("/people/A{number:int}/identity/preview", response_class=HTMLResponse)
def look(request: Request, sent: Form, number: int) -> Response:
    """Everything that a choice on the workbench would change; nothing is changed."""
    site = site_of(request)
    asked = _carefully(lambda: _asked(site, sent.fields, _there(number)))
    return _preview(request, asked, f"/people/A{number}/identity")


@router.post("/people/A{number:int}/identity/decide")
def decide(request: Request, sent: Form, number: int) -> Response:
    """Do what was looked at; what concerns somebody's claimed record waits for their word."""
    asked = _carefully(lambda: Asked.read(sent.get("asked")))
    return _decide(request, sent, asked, f"/people/A{number}/identity")


@router.post("/identity/events/{event:int}/undo")
def undo(request: Request, sent: Form, event: int) -> Response:
    """Show what undoing an event would change; do it once that was seen."""
    back = sent.get("back")
    back = back if re.fullmatch(rf"/people/{PERSON}/identity", back, re.ASCII) else "/identity"
    asked = Asked("undo", event=_there(event))
    if not sent.get("expected"):
        return _preview(request, asked, back)
    return _decide(request, sent, asked, back)


@router.get("/identity", response_class=HTMLResponse)
def events(request: Request) -> Response:
    """Everything that was decided about who is who, the newest first."""
    site = site_of(request)
    page = page_in(request.query_params)
    with site.database.session() as session:
        total = history_count(session)
        rows = history(session, None, 25, (page - 1) * 25)
    return _shown(
        request, "events",
        past=PageOf(tuple(rows), total, page),
        names=_names(site, rows),
        done=_number(request.query_params.get("event")),
        waits=_number(request.query_params.get("request")),
        who=visitor(request),
    )  # fmt: skip


@router.get("/identity/requests", response_class=HTMLResponse)
def requests(request: Request, who: SignedInVisitor) -> Response:
    """What waits for this account's word, and what it asked for itself."""
    site = site_of(request)
    page = page_in(request.query_params)
    with site.community.reading() as session, site.database.session() as record:
        rows, total = curation.waiting_for(session, record, who.account, 25, (page - 1) * 25)
    return _shown(request, "requests", rows=PageOf(tuple(rows), total, page), who=who)


@router.get("/identity/requests/{number:int}", response_class=HTMLResponse)
def one_request(request: Request, who: SignedInVisitor, number: int) -> Response:
    """A request with everything that it would change."""
    return _request(request, who, number)


@router.post("/identity/requests/{number:int}")
def answer(request: Request, sent: Form, number: int) -> Response:
    """Accept, decline or take back a request."""
    site = site_of(request)

    def answered() -> Consequences | None:
        with site.community.writing() as session:
            return curation.answer(
                session, site.database, sent.who.account, number,
                sent.get("verdict"), sent.get("expected"),
            )  # fmt: skip

    try:
        found = _patiently(answered)
    except IdentityError as error:
        return _request(request, sent.who, number, 409, str(error))
    done = f"/identity?event={found.event}" if found else "/identity/requests"
    return RedirectResponse(done, 303)


def _request(
    request: Request, who: Any, number: int, status: int = 200, error: str = ""
) -> Response:
    site = site_of(request)
    with site.community.reading() as session, site.database.session() as record:
        row = curation.request_of(session, record, who.account, number)
    found = None
    try:
        found = _patiently(lambda: look_at(site.database, row.asked))
    except IdentityError as refused:
        error = str(refused)
    return _shown(request, "request", status, row=row, found=found, error=error, who=who)


def _preview(
    request: Request, asked: Asked, back: str, status: int = 200, error: str = "", reason: str = ""
) -> Response:
    site, who = site_of(request), visitor(request)
    found = _carefully(lambda: look_at(site.database, asked))
    assert who is not None
    with site.community.reading() as session, site.database.session() as record:
        held = curation.right(session, record, who.account, found)
        told = curation.sentences(session, record, who.account, found)
    action = f"/identity/events/{asked.event}/undo" if asked.kind == "undo" else f"{back}/decide"
    return _shown(
        request, "preview", status,
        asked=asked, found=found, held=held, told=told, back=back, action=action, error=error,
        reason=reason, who=who,
    )  # fmt: skip


def _decide(request: Request, sent: Any, asked: Asked, back: str) -> Response:
    site = site_of(request)
    reason = sent.get("reason")

    def decided() -> tuple[Consequences, int | None]:
        with site.community.writing() as session:
            return curation.decide(
                session, site.database, sent.who.account, asked, reason, sent.get("expected")
            )

    try:
        found, waits = _patiently(decided)
    except IdentityError as error:
        return _preview(request, asked, back, 409, str(error), reason[: curation.LONGEST_REASON])
    what = f"event={found.event}" if waits is None else f"request={waits}"
    return RedirectResponse(f"{back}?{what}", 303)


def _asked(site: Site, fields: Mapping[str, str], person: int) -> Asked:
    """What the fields of the workbench ask for; the button that was pressed says which kind.

    Raises:
        IdentityError: They ask for nothing that can be read.
    """
    if "detach" in fields:
        return Asked("detach", person, works=(_demanded(fields["detach"], "W"),))
    if "merge" in fields:
        return Asked("merge", people=(person, _demanded(fields["merge"], "A")))
    if "assign" in fields:
        chosen = tuple(int(m[1]) for m in _matching(fields, r"u(\d{1,15})"))
        return Asked("assign", person if fields["assign"] == "here" else None, authorships=chosen)
    if "group" in fields:
        with site.database.session() as session:
            suggested = suggested_partition(oeuvre_of_person(session, person))
        groups = [group for part in suggested.parts for group in part.groups]
        place = int(fields["group"]) if re.fullmatch(r"\d{1,4}", fields["group"], re.ASCII) else -1
        if not 0 <= place < len(groups):
            raise IdentityError(UNREADABLE)
        return Asked("split", person, parts=(groups[place],))
    return Asked("split", person, parts=_split(fields))


def _split(fields: Mapping[str, str]) -> tuple[tuple[int, ...], ...]:
    """Works of each other person: those of other pages as suggested, those of this one as chosen."""
    whose: dict[int, int] = {}
    for part in fields.get("elsewhere", "").split(";"):
        if match := re.fullmatch(r"(\d{1,3}):(\d{1,15}(?:,\d{1,15})*)", part, re.ASCII):
            whose.update((int(work), int(match[1])) for work in match[2].split(","))
    for match in _matching(fields, r"w(\d{1,15})"):
        chosen = fields[match[0]]
        whose[int(match[1])] = int(chosen) if re.fullmatch(r"\d{1,3}", chosen, re.ASCII) else 1
    parts: dict[int, list[int]] = defaultdict(list)
    for work, part_number in sorted(whose.items()):
        if part_number != 1:
            parts[part_number].append(work)
    return tuple(tuple(works) for _, works in sorted(parts.items()))


def _matching(fields: Mapping[str, str], pattern: str) -> list[re.Match[str]]:
    return [match for name in fields if (match := re.fullmatch(pattern, name, re.ASCII))]


def _demanded(given: str, letter: str) -> int:
    match = re.fullmatch(rf"{letter}(\d{{1,15}})", given, re.ASCII)
    if match is None:
        raise IdentityError(UNREADABLE)
    return int(match[1])


def _there(number: int) -> int:
    if number >= LARGEST:
        raise HTTPException(404)
    return number


def _number(given: str | None) -> int | None:
    return int(given) if given and re.fullmatch(r"\d{1,15}", given, re.ASCII) else None


def _carefully(make: Callable[[], T]) -> T:
    try:
        return _patiently(make)
    except IdentityError as error:
        raise HTTPException(409, str(error)) from error


def _patiently(make: Callable[[], T]) -> T:
    """Do something that writes; another preview is over in a moment, an import is not."""
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            return make()
        except WriterBusyError as error:
            if time.monotonic() > ends:
                raise HTTPException(
                    503,
                    "The record is being written to at the moment, by an import perhaps. "
                    "Try again in a minute.",
                    {"Retry-After": "60"},
                ) from error
            time.sleep(0.1)


def _names(site: Site, past: Any) -> dict[str, str]:
    makers = {one for event in past for one in (event.made_by, event.undone_by) if one}
    with site.community.reading() as session:
        return curation.names_in_history(session, makers)


def _shown(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    return site_of(request).page(request, f"identity/{template}.html", status, **values)
