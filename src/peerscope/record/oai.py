"""The record for harvesters: OAI-PMH 2.0 with Dublin Core, resumption tokens and deleted records.

http://www.openarchives.org/OAI/2.0/openarchivesprotocol.htm. A token holds everything that the next page
needs (bounds, set, the last work), so that nothing is kept between requests and a harvest can go on after a
restart.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from lxml import etree
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from peerscope.record.models import Topic, Work, WorkTopic
from peerscope.record.parsed import WORK_TYPES, ParsedWork
from peerscope.record.statements import parsed_among

OAI = "http://www.openarchives.org/OAI/2.0/"
DC = "http://www.openarchives.org/OAI/2.0/oai_dc/"
ELEMENTS = "http://purl.org/dc/elements/1.1/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
PREFIX = "oai_dc"
PATH = "/oai"
"""Where, below the site's address, the interface is."""

SCHEMAS = {
    OAI: "http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd",
    DC: "http://www.openarchives.org/OAI/2.0/oai_dc.xsd",
}
PAGE = 100
ARGUMENTS: dict[str, tuple[set[str], set[str]]] = {
    "Identify": (set(), set()),
    "ListMetadataFormats": (set(), {"identifier"}),
    "ListSets": (set(), {"resumptionToken"}),
    "ListIdentifiers": ({"metadataPrefix"}, {"from", "until", "set", "resumptionToken"}),
    "ListRecords": ({"metadataPrefix"}, {"from", "until", "set", "resumptionToken"}),
    "GetRecord": ({"identifier", "metadataPrefix"}, set()),
}
"""Verb to the arguments that it must and may have."""


class OaiError(Exception):
    """A request that the protocol answers with an error of this code."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a list asks for, and how far it came."""

    first: str = ""
    until: str = ""
    set: str = ""
    last: int = 0
    sent: int = 0

    def token(self) -> str:
        parts = [self.first, self.until, self.set, self.last, self.sent]
        return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def answer(session: Session, given: Sequence[tuple[str, str]], site: str, name: str) -> bytes:
    """The answer to a request; errors are answers too.

    Args:
        session: Of the record.
        given: Arguments of the request, repeated ones included.
        site: Address of the site, without a slash at its end.
        name: Of the site.
    """
    root = etree.Element(f"{{{OAI}}}OAI-PMH", nsmap={None: OAI, "xsi": XSI})
    root.set(f"{{{XSI}}}schemaLocation", f"{OAI} {SCHEMAS[OAI]}")
    _add(root, "responseDate", _stamp(datetime.now(UTC)))
    request = _add(root, "request", site + PATH)
    try:
        verb, arguments = _checked(given)
        for key, value in {"verb": verb, **arguments}.items():
            request.set(key, value)
        root.append(_Site(session, site, name).answer(verb, arguments))
    except OaiError as error:
        if error.code in ("badVerb", "badArgument"):
            request.attrib.clear()
        _add(root, "error", str(error)).set("code", error.code)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _checked(given: Sequence[tuple[str, str]]) -> tuple[str, dict[str, str]]:
    arguments = dict(given)
    if len(arguments) != len(given):
        raise OaiError("badArgument", "An argument is given twice.")
    if any(not _legal(value) for value in arguments.values()):
        raise OaiError("badArgument", "An argument holds characters that XML has not.")
    verb = arguments.pop("verb", "")
    if verb not in ARGUMENTS:
        raise OaiError("badVerb", f"The verb is one of {', '.join(ARGUMENTS)}.")
    needed, allowed = ARGUMENTS[verb]
    if "resumptionToken" in arguments and "resumptionToken" in allowed:
        if len(arguments) > 1:
            raise OaiError("badArgument", "A resumption token stands alone.")
        return verb, arguments
    if wrong := sorted(set(arguments) - needed - allowed):
        raise OaiError("badArgument", f"{verb} takes no argument {wrong[0][:50]}.")
    if missing := sorted(needed - set(arguments)):
        raise OaiError("badArgument", f"{verb} needs the argument {missing[0]}.")
    return verb, arguments


def _legal(text: str) -> bool:
    return len(text) <= 2_000 and not re.search(
        "[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]", text
    )


class _Site:
    def __init__(self, session: Session, site: str, name: str) -> None:
        self.session, self.site, self.name = session, site, name
        host = re.sub(r"^https?://([^/:]+).*", r"\1", site)
        self.host = host if "." in host else f"{host}.invalid"

    def answer(self, verb: str, arguments: dict[str, str]) -> Any:
        made = etree.Element(f"{{{OAI}}}{verb}")
        if verb == "Identify":
            self._identify(made)
        elif verb == "ListMetadataFormats":
            if "identifier" in arguments:
                self._work(arguments["identifier"])
            self._formats(made)
        elif verb == "ListSets":
            if "resumptionToken" in arguments:
                raise OaiError("badResumptionToken", "The list of sets is whole at once.")
            self._sets(made)
        elif verb == "GetRecord":
            _known_format(arguments["metadataPrefix"])
            self._records(made, [self._work(arguments["identifier"])], whole=True)
        else:
            self._list(made, arguments, whole=verb == "ListRecords")
        return made

    def _identify(self, made: Any) -> None:
        earliest = self.session.scalar(select(func.min(Work.updated_at)))
        _add(made, "repositoryName", self.name)
        _add(made, "baseURL", self.site + PATH)
        _add(made, "protocolVersion", "2.0")
        _add(made, "adminEmail", f"postmaster@{self.host}")
        _add(made, "earliestDatestamp", _stamp(earliest or datetime.now(UTC)))
        _add(made, "deletedRecord", "persistent")
        _add(made, "granularity", "YYYY-MM-DDThh:mm:ssZ")

    def _formats(self, made: Any) -> None:
        form = _add(made, "metadataFormat", "")
        _add(form, "metadataPrefix", PREFIX)
        _add(form, "schema", SCHEMAS[DC])
        _add(form, "metadataNamespace", DC)

    def _sets(self, made: Any) -> None:
        for kind in WORK_TYPES:
            one = _add(made, "set", "")
            _add(one, "setSpec", f"type:{kind}")
            _add(one, "setName", kind.replace("-", " "))
        rows = self.session.execute(
            select(Topic.id, Topic.display_name).where(Topic.works_count > 0).order_by(Topic.id)
        )
        for number, label in rows:
            one = _add(made, "set", "")
            _add(one, "setSpec", f"topic:T{number}")
            _add(one, "setName", label)

    def _work(self, identifier: str) -> Work:
        match = re.fullmatch(rf"oai:{re.escape(self.host)}:W(\d{{1,15}})", identifier, re.ASCII)
        found = self.session.get(Work, int(match[1])) if match else None
        if found is None:
            raise OaiError("idDoesNotExist", f"Identifiers look like oai:{self.host}:W12.")
        return found

    def _list(self, made: Any, arguments: dict[str, str], *, whole: bool) -> None:
        if "resumptionToken" in arguments:
            wanted = _from_token(arguments["resumptionToken"])
        else:
            _known_format(arguments["metadataPrefix"])
            wanted = _bounds(arguments)
        where = [*_condition(wanted)]
        total = self.session.scalar(select(func.count()).select_from(Work).where(*where)) or 0
        works = self.session.scalars(
            select(Work).where(*where, Work.id > wanted.last).order_by(Work.id).limit(PAGE + 1)
        ).all()
        if not works:
            if wanted.last:
                raise OaiError(
                    "badResumptionToken", "Nothing is left of this list: begin it again."
                )
            raise OaiError("noRecordsMatch", "No record lies in these bounds.")
        self._records(made, works[:PAGE], whole=whole)
        following = replace(wanted, last=works[:PAGE][-1].id, sent=wanted.sent + len(works[:PAGE]))
        more = len(works) > PAGE
        if more or wanted.last:
            token = _add(made, "resumptionToken", following.token() if more else "")
            token.set("completeListSize", str(total))
            token.set("cursor", str(wanted.sent))

    def _records(self, made: Any, works: Iterable[Work], *, whole: bool) -> None:
        works = list(works)
        topics = self._topics([work.id for work in works])
        there = [work.id for work in works if work.deleted_at is None]
        stated = parsed_among(self.session, there) if whole else {}
        for work in works:
            parent = _add(made, "record", "") if whole else made
            header = _add(parent, "header", "")
            if work.deleted_at is not None:
                header.set("status", "deleted")
            _add(header, "identifier", f"oai:{self.host}:W{work.id}")
            changed = max(_utc(work.updated_at), _utc(work.deleted_at or work.updated_at))
            _add(header, "datestamp", _stamp(changed))
            for one in (f"type:{work.type}", *topics.get(work.id, ())):
                _add(header, "setSpec", one)
            if whole and work.id in stated:
                _add(parent, "metadata", "").append(self._dublin_core(work, stated[work.id]))

    def _topics(self, numbers: list[int]) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        rows = self.session.execute(
            select(WorkTopic.work_id, WorkTopic.topic_id)
            .where(WorkTopic.work_id.in_(numbers)).order_by(WorkTopic.work_id, WorkTopic.topic_id)
        )  # fmt: skip
        for work, topic in rows:
            found.setdefault(work, []).append(f"topic:T{topic}")
        return found

    def _dublin_core(self, work: Work, parsed: ParsedWork) -> Any:
        made = etree.Element(f"{{{DC}}}dc", nsmap={"oai_dc": DC, "dc": ELEMENTS, "xsi": XSI})
        made.set(f"{{{XSI}}}schemaLocation", f"{DC} {SCHEMAS[DC]}")

        def say(element: str, *values: str | None) -> None:
            for value in values:
                if value:
                    etree.SubElement(made, f"{{{ELEMENTS}}}{element}").text = _clean(value)

        say("title", work.title)
        say("creator", *(author.name for author in parsed.authors))
        say("subject", *(topic.name for topic in parsed.topics))
        say("description", work.abstract, None if work.abstract else work.summary)
        say("publisher", work.publisher)
        say("date", work.publication_date or (str(work.publication_year or "") or None))
        say("type", work.type)
        say("identifier", f"{self.site}/works/W{work.id}")
        say("identifier", f"https://doi.org/{work.doi}" if work.doi else None)
        say("identifier", f"https://arxiv.org/abs/{work.arxiv_id}" if work.arxiv_id else None)
        say("source", parsed.venue)
        say("language", work.language)
        if work.is_oa:
            say("rights", "info:eu-repo/semantics/openAccess")
        return made


def _known_format(prefix: str) -> None:
    if prefix != PREFIX:
        raise OaiError("cannotDisseminateFormat", f"The format is {PREFIX}.")


def _bounds(arguments: dict[str, str]) -> _Wanted:
    first, until = arguments.get("from", ""), arguments.get("until", "")
    if first and until and len(first) != len(until):
        raise OaiError("badArgument", "from and until have the same granularity.")
    for one in (first, until):
        if one:
            _moment(one, late=False)
    if first and until and _moment(first, late=False) > _moment(until, late=True):
        raise OaiError("badArgument", "from lies after until.")
    chosen = arguments.get("set", "")
    if chosen and not re.fullmatch(r"(type:[a-z-]{1,40}|topic:T\d{1,15})", chosen, re.ASCII):
        raise OaiError("noRecordsMatch", "There is no such set.")
    return _Wanted(first, until, chosen)


def _moment(text: str, *, late: bool) -> datetime:
    """A bound as a moment; the end of its day or second where it is the later one."""
    for form, unit in (
        ("%Y-%m-%dT%H:%M:%SZ", timedelta(seconds=1)),
        ("%Y-%m-%d", timedelta(days=1)),
    ):
        try:
            found = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        try:
            return found + unit if late else found
        except OverflowError:
            return found
    raise OaiError("badArgument", "Dates look like 2026-01-31 or 2026-01-31T12:00:00Z.")


def _condition(wanted: _Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.first:
        since = _moment(wanted.first, late=False)
        found.append(or_(Work.updated_at >= since, Work.deleted_at >= since))
    if wanted.until:
        before = _moment(wanted.until, late=True)
        gone = or_(Work.deleted_at.is_(None), Work.deleted_at < before)
        found.append(and_(Work.updated_at < before, gone))
    kind, _, value = wanted.set.partition(":")
    if kind == "type":
        found.append(Work.type == value)
    elif kind == "topic":
        on = select(WorkTopic.work_id).where(WorkTopic.topic_id == int(value[1:]))
        found.append(Work.id.in_(on))
    return found


def _from_token(text: str) -> _Wanted:
    bad = OaiError(
        "badResumptionToken", "This token was not made by this site: begin the list again."
    )
    try:
        padded = text + "=" * (-len(text) % 4)
        parts = orjson.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
    except (ValueError, UnicodeError, binascii.Error):
        raise bad from None
    if not isinstance(parts, list) or [type(p) for p in parts] != [str, str, str, int, int]:
        raise bad
    first, until, chosen, last, sent = parts
    if not (0 < last < 2**53 and 0 <= sent < 2**53):
        raise bad
    try:
        checked = _bounds({"from": first, "until": until, "set": chosen})
    except OaiError:
        raise bad from None
    return replace(checked, last=last, sent=sent)


def _add(parent: Any, name: str, text: str) -> Any:
    child = etree.SubElement(parent, f"{{{OAI}}}{name}")
    if text:
        child.text = _clean(text)
    return child


def _clean(text: str) -> str:
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]", "", text)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _stamp(moment: datetime) -> str:
    return _utc(moment).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
