"""What each service is asked for, and what counts as an answer.

Crossref, DataCite, arXiv, ORCID and OpenAlex, each with the address and format that its documentation names.
An answer is looked at before it is kept: a page that asks to sign in is no record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from peerscope.record.database import WriterBusyError, file_lock
from peerscope.record.fetching.asked import Asked, Refusal
from peerscope.record.fetching.client import (
    INSTEAD,
    Client,
    FetchError,
    NotThereError,
    UnreachableError,
)
from peerscope.record.importers import arxiv, crossref, openalex, orcid
from peerscope.record.importers.bibliography import doi_of, orcid_of

Step = Callable[[], None]
"""Called after each identifier that is done with."""

ARXIV_AT_ONCE, ARXIV_PAUSE = 100, 3.0
"""Ids of one request to arXiv, and seconds between two requests: what it asks of everybody."""
MOST_NOTICED = 5
"""Works that one notice may bring with it."""

CSL = "application/vnd.citationstyles.csl+json"


@dataclass(slots=True)
class Answers:
    """What one service gave: what came, and what did not, with the reason."""

    service: str
    suffix: str
    came: list[str] = field(default_factory=list)
    """Identifiers, in the order in which they were asked for."""
    content: bytes = b""
    missing: list[Refusal] = field(default_factory=list)


def from_crossref(
    client: Client, asked: Sequence[Asked], step: Step
) -> tuple[Answers, list[Asked]]:
    """Messages of Crossref, one a line, and the DOIs that it does not know.

    A notice of retraction or correction brings the work that it is about.
    """
    found = Answers("crossref", ".jsonl")
    lines: dict[str, bytes] = {}
    unknown: list[Asked] = []
    base = client.access.crossref

    def take(doi: str) -> dict[str, Any]:
        query = {"mailto": client.access.contact} if client.access.contact else {}
        answer = _object(client.get(base, f"/works/{quote(doi, safe='')}", query), "Crossref")
        message = answer.get("message")
        own = doi_of(str(message.get("DOI"))) if isinstance(message, dict) else None
        if own is None or not crossref.is_message(answer):
            raise FetchError("Crossref answered with something that is no record of a work.")
        lines.setdefault(own, orjson.dumps(answer))
        return answer

    def one(item: Asked) -> None:
        if not base:
            unknown.append(item)
            return
        try:
            answer = take(item.value)
        except NotThereError:
            unknown.append(item)
            return
        found.came.append(item.value)
        for doi in crossref.notices_on(answer)[:MOST_NOTICED]:
            try:
                take(doi)
            except NotThereError:
                continue

    _each(asked, one, found, step)
    found.content = b"\n".join(lines.values()) + b"\n" if lines else b""
    return found, unknown


def from_datacite(client: Client, asked: Sequence[Asked], step: Step) -> Answers:
    """DOIs that Crossref does not know, as DataCite's CSL-JSON, one a line."""
    found = Answers("datacite", ".jsonl")
    lines: list[bytes] = []
    base, first = client.access.datacite, bool(client.access.crossref)

    def one(item: Asked) -> None:
        if not base:
            off = "This site's settings switch Crossref and DataCite off."
            raise NotThereError("Crossref does not know this DOI." if first else off)
        path = f"/dois/{CSL}/{quote(item.value, safe='/')}"
        try:
            answer = _object(client.get(base, path, {}, CSL), "DataCite")
        except NotThereError:
            neither = "Neither Crossref nor DataCite knows this DOI."
            raise NotThereError(neither if first else "DataCite does not know it.") from None
        if not isinstance(answer.get("title"), str):
            raise FetchError("DataCite answered with something that is no record of a work.")
        answer |= {"id": item.value, "DOI": answer.get("DOI") or item.value}
        lines.append(orjson.dumps(answer))
        found.came.append(item.value)

    _each(asked, one, found, step)
    found.content = b"\n".join(lines) + b"\n" if lines else b""
    return found


def from_arxiv(client: Client, asked: Sequence[Asked], step: Step, folder: Path) -> list[Answers]:
    """Atom answers of arXiv, `ARXIV_AT_ONCE` records in each.

    Args:
        client: Asks.
        asked: arXiv ids.
        step: Called after each.
        folder: Where this site's processes see when one of them asked last.
    """
    found = []
    for start in range(0, len(asked), ARXIV_AT_ONCE):
        part = asked[start : start + ARXIV_AT_ONCE]
        one = Answers("arxiv", ".xml")
        ids = ",".join(item.value for item in part)
        query = {"id_list": ids, "start": "0", "max_results": str(len(part))}

        def request(query: dict[str, str] = query) -> bytes:
            return client.get(client.access.arxiv, "/api/query", query, "application/atom+xml")

        try:
            one.content = _in_turn(client, folder, request)
            if not arxiv.looks_like(one.content[: 1 << 16]):
                raise FetchError("arXiv answered with something that is no record of a work.")
            there = arxiv.ids_in(one.content)
            one.came = [item.value for item in part if item.value in there]
            one.missing = [
                Refusal(str(item), "arXiv does not know this id.")
                for item in part
                if item.value not in there
            ]
            one.content = one.content if one.came else b""
        except FetchError as error:
            one.content = b""
            one.missing = [Refusal(str(item), str(error)) for item in part]
        for _ in part:
            step()
        found.append(one)
    return found


def from_orcid(client: Client, asked: Sequence[Asked], step: Step) -> list[Answers]:
    """Public records of people, each by itself."""
    found = []
    for item in asked:
        one = Answers("orcid", ".json")

        def take(item: Asked, one: Answers = one) -> None:
            try:
                body = client.get(client.access.orcid, f"/v3.0/{item.value}/record", {})
            except NotThereError:
                raise NotThereError("ORCID does not know this iD.") from None
            record = _object(body, "ORCID")
            identifier = record.get("orcid-identifier")
            path = identifier.get("path") if isinstance(identifier, dict) else None
            if not orcid.looks_like(body[: 1 << 16]) or orcid_of(str(path)) != item.value:
                raise FetchError("ORCID answered with something that is not this person's record.")
            one.content = body
            one.came.append(item.value)

        _each([item], take, one, step)
        found.append(one)
    return found


def from_openalex(client: Client, asked: Sequence[Asked], step: Step) -> Answers:
    """OpenAlex's work objects, one a line."""
    found = Answers("openalex", ".jsonl")
    lines: list[bytes] = []
    key = client.access.openalex_key

    def one(item: Asked) -> None:
        if not key:
            raise UnreachableError(
                f"OpenAlex answers nobody without a key: set PEERSCOPE_OPENALEX_KEY, or {INSTEAD}."
            )
        try:
            body = client.get(client.access.openalex, f"/works/{item.value}", {"api_key": key})
        except NotThereError:
            raise NotThereError("OpenAlex does not know this work.") from None
        answer = _object(body, "OpenAlex")
        if not openalex.looks_like(answer):
            raise FetchError("OpenAlex answered with something that is no record of a work.")
        lines.append(orjson.dumps(answer))
        found.came.append(item.value)

    _each(asked, one, found, step)
    found.content = b"\n".join(lines) + b"\n" if lines else b""
    return found


def _each(asked: Sequence[Asked], one: Callable[[Asked], None], found: Answers, step: Step) -> None:
    """Ask for one after another; after a service cannot be reached, the rest is not asked for."""
    reason = ""
    for item in asked:
        try:
            if not reason:
                one(item)
        except UnreachableError as error:
            reason = str(error)
        except FetchError as error:
            found.missing.append(Refusal(str(item), str(error)))
        if reason and item.value not in found.came:
            found.missing.append(Refusal(str(item), reason))
        step()


def _object(body: bytes, service: str) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise FetchError(f"{service} answered with something that is no record.")
    return found


def _in_turn(client: Client, folder: Path, request: Callable[[], bytes]) -> bytes:
    """Make a request to arXiv when it is this site's turn: one at a time, `ARXIV_PAUSE` seconds apart.

    Raises:
        UnreachableError: Another process of this site holds the connection for longer than there is patience.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / "arxiv.last"
    waited = 0.0
    while True:
        try:
            with file_lock(folder / "arxiv.lock", "asking arXiv"):
                since = time.time() - stamp.stat().st_mtime if stamp.exists() else ARXIV_PAUSE
                if 0 <= since < ARXIV_PAUSE:
                    client.sleep(ARXIV_PAUSE - since)
                try:
                    return request()
                finally:
                    stamp.touch()
        except WriterBusyError:
            waited += 1.0
            if waited > client.access.patience:
                raise UnreachableError(
                    "This site is asking arXiv already, and it allows one connection; try again later."
                ) from None
            client.sleep(1.0)
