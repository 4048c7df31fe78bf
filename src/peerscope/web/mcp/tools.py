"""What assistants can ask: seven tools that read. The rules are in the rooms below."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import Session

from peerscope.discover import SearchFilters
from peerscope.discover.shapes import Reason
from peerscope.record.citing import UnknownStyleError
from peerscope.record.export import EXPORTERS
from peerscope.record.models import Person, Work
from peerscope.record.openalex.conditions import outside_id, own_number
from peerscope.record.read import (
    cards,
    current_people,
    identifiers_of,
    person_page,
    work_page,
    works_of_identifiers,
)
from peerscope.record.statements import parsed_among
from peerscope.reproduce.overview import ClaimRow
from peerscope.web.api import STATED_KINDS
from peerscope.web.asked import Asked
from peerscope.web.cite import references
from peerscope.web.claims import work_numbers
from peerscope.web.mcp import shapes
from peerscope.web.mcp.asking import Asking, CannotAnswerError, number_of, numbers_of, there
from peerscope.web.site import KINDS

LISTED = 10
LONGEST_ABSTRACT = 4000
RECORDS = {"bibtex": "bibtex", "bib": "bibtex", "ris": "ris", "csl-json": "csl", "csl": "csl"}
"""What `cite` takes as a style and answers by records: to the name of the exporter."""

GivenT = TypeVar("GivenT", bound=shapes.Arguments)


@dataclass(frozen=True, slots=True)
class Tool(Generic[GivenT]):
    """A tool: its name, what it is for, and how it answers."""

    name: str
    title: str
    description: str
    arguments: type[GivenT]
    answer: type[shapes.Answer]
    run: Callable[[Asking, GivenT], shapes.Answer]


def _searched(asking: Asking, given: shapes.SearchArguments) -> shapes.SearchAnswer:
    site = asking.site
    filters = SearchFilters(
        given.year_from, given.year_to, tuple(given.types), numbers_of(given.topics, "T"),
        numbers_of(given.people, "A"), numbers_of(given.institutions, "I"), numbers_of(given.venues, "S"),
        given.open_access,
    )  # fmt: skip
    query = given.query.replace("\x00", " ").strip()
    found = site.discovery.search(
        query, filters, sort=given.sort, page=given.page, per_page=given.limit
    )
    with site.database.session() as session:
        shown = {card.id: card for card in cards(session, [hit.work_id for hit in found.hits])}
    address = Asked(query, filters, given.sort, 1).address()
    return shapes.SearchAnswer.model_validate(
        {
            "query": query, "corrected": found.corrected, "note": found.note, "total": found.total,
            "capped": found.capped, "page": found.page, "url": asking.base + address,
            "results": [
                {**asking.work(shown[hit.work_id]), "reasons": _texts(hit.reasons)}
                for hit in found.hits
                if hit.work_id in shown
            ],
        }
    )  # fmt: skip


def _texts(reasons: Sequence[Reason]) -> list[str]:
    return [one.text for one in reasons]


def _work(asking: Asking, given: shapes.WorkArguments) -> shapes.WorkAnswer:
    site = asking.site
    with site.database.session() as session:
        number = number_of(session, "W", given.id)
        page = work_page(session, number) if number is not None else None
        if page is None or number is None:
            raise CannotAnswerError(f"There is no work {given.id[:80]} in this record.")
        if page.work.deleted_at is not None:
            raise CannotAnswerError(f"The work W{number} was removed from the record.")
        card = cards(session, [number])[0]
    work, own = page.work, f"{asking.base}/works/W{number}"
    return shapes.WorkAnswer.model_validate(
        {
            "work": asking.work(card),
            "abstract": _cut(work.abstract),
            "summary": work.summary,
            "authors": [
                {
                    **asking.thing("A", one.person_id, one.name),
                    "institutions": [asking.link(place) for place in one.institutions],
                }
                for one in page.authors.rows
            ],
            "identifiers": dict(page.identifiers),
            "topics": [asking.link(one) for one in page.topics],
            "versions": _attached(page.of("version")),
            "code_and_data": _attached(page.of("artifact")),
            "notices": _attached(page.of("notice")),
            "references_count": page.references.total + page.unresolved_count,
            "references": [asking.work(one) for one in page.references.rows[:LISTED]],
            "cited_by": [asking.work(one) for one in page.cited_by.rows[:LISTED]],
            "claims_count": len(site.overview.of_work(page.identifiers)),
            "missing": {kind: page.known(kind).value for kind in STATED_KINDS},
            "sources": [one.name for one in page.sources],
            "exports": {name: own + one.suffix for name, one in EXPORTERS.items()},
        }
    )


def _cut(text: str | None) -> str | None:
    if text is None or len(text) <= LONGEST_ABSTRACT:
        return text
    return text[: LONGEST_ABSTRACT - 1] + "…"


def _attached(rows: Iterable[Any]) -> list[dict[str, Any]]:
    return [
        {
            "kind": one.kind,
            "label": one.label,
            "date": one.date,
            "url": one.url,
            "source": one.source,
        }
        for one in rows
    ]


def _person(asking: Asking, given: shapes.PersonArguments) -> shapes.PersonAnswer:
    nobody = f"There is no person {given.id[:80]} in this record, or the page is not shown."
    with asking.site.database.session() as session:
        number = number_of(session, "A", given.id)
        if number is not None:
            number = current_people(session, [number]).get(number)
        if number is None or asking.hidden("A", number):
            raise CannotAnswerError(nobody)
        page = person_page(session, number, page=given.page)
        if page is None:
            raise CannotAnswerError(nobody)
    person: Person = page.person
    return shapes.PersonAnswer.model_validate(
        {
            **asking.thing("A", number, person.display_name),
            "works_count": person.works_count,
            "cited_by_count": person.cited_by_count,
            "identifiers": {s: v for s, v in page.identifiers if s in ("orcid", "openalex", "acl")},
            "names_as_printed": [name for name, _ in page.names],
            "affiliations": [asking.link(one) for one in page.affiliations],
            "topics": [asking.link(one) for one in page.topics],
            "collaborators": [
                asking.link(one) for one in page.collaborators if not asking.hidden("A", one.id)
            ],
            "collaborators_count": page.collaborators_count,
            "how_works_were_decided": {one.rule: one.count for one in page.decisions},
            "page": given.page,
            "works": [asking.work(one) for one in page.works.rows],
        }
    )


def _neighbours(asking: Asking, given: shapes.NeighboursArguments) -> shapes.NeighboursAnswer:
    with asking.site.database.session() as session:
        letter, number, name = there(asking, session, given.id, "WAT")
    near = asking.site.discovery.neighbours(letter, number, given.limit)
    return shapes.NeighboursAnswer.model_validate(
        {
            "of": asking.thing(letter, number, name),
            "near": [
                {
                    **asking.thing(one.entity, one.id, one.label),
                    "detail": one.detail,
                    "reasons": _texts(one.reasons),
                }
                for one in near
            ],
        }
    )


def _graph(asking: Asking, given: shapes.GraphArguments) -> shapes.GraphAnswer:
    with asking.site.database.session() as session:
        letter, number, _ = there(asking, session, given.id, "WATIS")
    found = asking.site.discovery.graph_slice(letter, number, given.limit)
    return shapes.GraphAnswer.model_validate(
        {
            "truncated": found.truncated,
            "nodes": [
                {**asking.thing(one.entity, one.id, one.label), "kind": KINDS[one.entity].lower()}
                for one in found.nodes
            ],
            "edges": [
                {"source": one.source, "target": one.target, "kind": one.kind, "reason": one.reason}
                for one in found.edges
            ],
        }
    )


def _claims(asking: Asking, given: shapes.ClaimsArguments) -> shapes.ClaimsAnswer:
    site, note = asking.site, None
    with site.database.session() as session:
        if given.work is not None:
            number = number_of(session, "W", given.work)
            found = session.get(Work, number) if number is not None else None
            if found is None or found.deleted_at is not None:
                raise CannotAnswerError(f"There is no work {given.work[:80]} in this record.")
            rows = site.overview.of_work(identifiers_of(session, "W", found.id))
            if not rows:
                note = "No installed package offers a claim of this work: its claims are not listed here."
        else:
            rows = site.overview.rows()
        if given.claim is not None:
            rows = [row for row in rows if row.claim.id == given.claim]
            if not rows:
                raise CannotAnswerError(f"There is no claim {given.claim[:80]} here.")
        rows = [row for row in rows if given.verdict in (None, row.state)]
        first = (given.page - 1) * given.limit
        shown = rows[first : first + given.limit]
        papers = {row.paper.slug: row.paper for row in shown}
        works = work_numbers(session, list(papers.values()))
    return shapes.ClaimsAnswer(
        total=len(rows), page=given.page, note=note,
        claims=[_claim(asking, row, works.get(row.paper.slug)) for row in shown],
    )  # fmt: skip


def _claim(asking: Asking, row: ClaimRow, work: tuple[int, str] | None) -> shapes.Claim:
    verdict, claim = row.verdict, row.claim
    number, title = work or (None, row.paper.title)
    return shapes.Claim.model_validate(
        {
            "id": claim.id,
            "url": f"{asking.base}/claims/{claim.id}",
            "work": asking.thing("W", number, title),
            "statement": claim.statement,
            "printed": claim.reported or None,
            "measured_is": claim.metric,
            "location": claim.location,
            "verdict": row.state,
            "verdict_in_words": row.words,
            "why": verdict.sentence if verdict else row.why_not_run or None,
            "rule": verdict.rule if verdict else None,
            "profile": verdict.profile if verdict else None,
            "reduced": (claim.profiles[verdict.profile] or None) if verdict else None,
            "seeds": verdict.seeds if verdict else None,
            "checks": [
                {name: getattr(one, name) for name in shapes.Check.model_fields}
                for one in (verdict.checks if verdict else ())
            ],
            "evidence": f"{asking.base}/attempts/{row.attempt.id}" if row.attempt else None,
        }
    )


def _cited(asking: Asking, given: shapes.CiteArguments) -> shapes.CiteAnswer:
    site = asking.site
    with site.database.session() as session:
        found = _all_works(session, given.ids)
        missing = [one for one in given.ids if one not in found]
        numbers = list(dict.fromkeys(found.values()))
        works = parsed_among(session, numbers)
        missing += [one for one, number in found.items() if number not in works]
        if missing:
            raise CannotAnswerError(f"There is no work {', '.join(missing)[:200]} in this record.")
        exporter = EXPORTERS.get(RECORDS.get(given.style.strip().lower(), ""))
        if exporter is not None:
            records = "".join(exporter.write(works[number] for number in numbers))
            return shapes.CiteAnswer(
                style=given.style.strip().lower(), locale=None, references=[], records=records
            )
        try:
            style, locale = site.styles.named(given.style), site.styles.locale(given.locale)
            made = references(site, session, numbers, style, locale)
        except UnknownStyleError as error:
            raise CannotAnswerError(f"{error} Besides: bibtex, ris, csl-json.") from error
    return shapes.CiteAnswer(
        style=style, locale=locale or None, records=None,
        references=[shapes.Reference(id=f"W{one.work}", text=one.text) for one in made],
    )  # fmt: skip


def _all_works(session: Session, given: Sequence[str]) -> dict[str, int]:
    """Ids to numbers; identifiers of elsewhere in one statement."""
    outside: dict[str, str] = {}
    found: dict[str, int] = {}
    for one in given:
        number = own_number("W", one.strip())
        if number is not None and number < 2**53:
            found[one] = number
        elif (
            number is None and (named := outside_id(one.strip())) is not None and "\x00" not in one
        ):
            outside[one] = ":".join(named)
    known = works_of_identifiers(session, outside.values()) if outside else {}
    for one, identifier in outside.items():
        if identifier in known:
            found[one] = known[identifier][0]
    return found


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "search", "Search works",
        "Find works of this site by words and by meaning, filtered by year, kind, people, topics, "
        "institutions, venues and open access. Each result says why it was found.",
        shapes.SearchArguments, shapes.SearchAnswer, _searched,
    ),
    Tool(
        "work", "Read a work",
        "One work: abstract or summary, authors, topics, versions, code and data, notices such as "
        "retractions, references and citing works of this record, and which kinds of statement no "
        "source of it carries.",
        shapes.WorkArguments, shapes.WorkAnswer, _work,
    ),
    Tool(
        "person", "Read a person",
        "One person as the record can tell them apart: works, names as printed, affiliations, topics, "
        "collaborators, and by which rules the works were attributed.",
        shapes.PersonArguments, shapes.PersonAnswer, _person,
    ),
    Tool(
        "neighbours", "What stands near",
        "Works, people or topics near a given one, nearest first, each with the reasons.",
        shapes.NeighboursArguments, shapes.NeighboursAnswer, _neighbours,
    ),
    Tool(
        "graph", "The graph around something",
        "Works, people, topics, institutions and venues around one of them, and the edges between them, "
        "each with why it is there.",
        shapes.GraphArguments, shapes.GraphAnswer, _graph,
    ),
    Tool(
        "claims", "Claims with verdicts",
        "Claims of a work, or of all works: the figure that the work prints, the figure that was "
        "measured on this site with its interval, and the verdict with the rule that made it. A claim "
        "that was not run says so.",
        shapes.ClaimsArguments, shapes.ClaimsAnswer, _claims,
    ),
    Tool(
        "cite", "Cite works",
        "Works as references in a citation style (CSL), or as BibTeX, RIS or CSL-JSON records.",
        shapes.CiteArguments, shapes.CiteAnswer, _cited,
    ),
)  # fmt: skip
"""Every tool, in the order in which they are listed."""
