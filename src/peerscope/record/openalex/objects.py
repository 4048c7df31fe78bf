"""Entities as OpenAlex's objects: a page of them in a few statements, however many there are.

Fields that the record does not have are ``None`` or empty, never guessed; what only this record has stands
under ``x_``. Ids are addresses of this site, so that a client can follow them; what OpenAlex calls an
entity stands in ``ids.openalex``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from peerscope.record.export.openalex import inverted_index
from peerscope.record.models import (
    Artifact,
    Authorship,
    AuthorshipInstitution,
    Citation,
    Identifier,
    Institution,
    Notice,
    Person,
    Topic,
    Venue,
    Work,
    WorkTopic,
)
from peerscope.record.openalex.entities import Kind

API = "/api/v1"
"""Where, below the site's address, these objects are asked for."""

PLACES = {"W": "works", "A": "authors", "S": "sources", "I": "institutions", "T": "topics"}
"""Entity letter to OpenAlex's name of its kind."""

ADDRESSES = {
    "openalex": "https://openalex.org/{}", "doi": "https://doi.org/{}", "orcid": "https://orcid.org/{}",
    "ror": "https://ror.org/{}", "pmid": "https://pubmed.ncbi.nlm.nih.gov/{}", "issn": "{}",
    "arxiv": "https://arxiv.org/abs/{}",
}  # fmt: skip
TYPES = {"journal-article": "article", "proceedings-article": "article"}
PLACE = (
    Institution.id, Institution.display_name, Institution.ror, Institution.country_code, Institution.type,
)  # fmt: skip
"""What an institution's own object takes of its row, and every other object that names it."""

SHARED_PEOPLE = 100
"""Authors of one work in a list; the object of one work has all (OpenAlex cuts at 100 too)."""

FIELDS = {
    "works": (
        "id", "doi", "title", "display_name", "publication_year", "publication_date", "type",
        "type_crossref", "language", "ids", "primary_location", "best_oa_location", "locations",
        "open_access", "authorships", "biblio", "is_retracted", "cited_by_count", "topics",
        "primary_topic", "keywords", "referenced_works", "referenced_works_count", "related_works",
        "abstract_inverted_index", "created_date", "updated_date", "cited_by_api_url", "x_summary",
        "x_artifacts", "x_authors_count", "x_page",
    ),
    "authors": (
        "id", "orcid", "display_name", "display_name_alternatives", "works_count", "cited_by_count",
        "ids", "affiliations", "last_known_institutions", "topics", "works_api_url", "created_date",
        "x_rule", "x_page",
    ),
    "sources": (
        "id", "issn_l", "display_name", "type", "works_count", "ids", "works_api_url", "x_page",
    ),
    "institutions": (
        "id", "ror", "display_name", "country_code", "type", "works_count", "ids", "works_api_url", "x_page",
    ),
    "topics": (
        "id", "display_name", "keywords", "works_count", "ids", "works_api_url", "x_origin", "x_page",
    ),
}  # fmt: skip
"""The fields of each kind, in their order; ``select`` takes these names."""


def objects(
    session: Session,
    kind: Kind,
    numbers: Sequence[int],
    site: str,
    fields: Collection[str] | None = None,
    related: Callable[[int], Iterable[int]] | None = None,
    hidden: Collection[int] = (),
) -> list[dict[str, Any]]:
    """Entities as objects, in the given order. At most eleven statements.

    Args:
        session: Of the record.
        kind: What they are.
        numbers: Which.
        site: Address of the site, without a slash at its end.
        fields: Only these of `FIELDS`; statements for others are not sent.
        related: Numbers of works near one, where asked for.
        hidden: People whose entities are not shown: works name them as printed, without a link.
    """
    wanted = [f for f in FIELDS[kind.name] if fields is None or f in fields]
    if not numbers:
        return []
    make = _Works if kind.letter == "W" else _Others
    found = make(session, kind, list(numbers), site, set(wanted), related, hidden).made()
    return [{f: found[n][f] for f in wanted} for n in numbers if n in found]


class _Others:
    """Authors, sources, institutions or topics of one page."""

    def __init__(
        self,
        session: Session,
        kind: Kind,
        numbers: list[int],
        site: str,
        wanted: set[str],
        related: Callable[[int], Iterable[int]] | None,
        hidden: Collection[int],
    ) -> None:
        self.session, self.kind, self.numbers, self.site = session, kind, numbers, site
        self.wanted, self.related, self.hidden = wanted, related, hidden
        self.base = site + API
        self.rows = {
            row.id: row
            for row in session.execute(
                select(kind.table.__table__).where(kind.table.id.in_(numbers))
            )
        }
        self.ids: dict[int, dict[str, str]] = {}

    def made(self) -> dict[int, dict[str, Any]]:
        """Number to object."""
        shapes: dict[str, Callable[[Any], dict[str, Any]]] = {
            "authors": self._author, "sources": self._source, "institutions": self._institution,
            "topics": self._topic,
        }  # fmt: skip
        more = shapes[self.kind.name]
        self.ids = _identifiers(self.session, {self.kind.letter: self.numbers})[self.kind.letter]
        if self.kind.name == "authors":
            self._load_authors()
        return {number: self._common(row) | more(row) for number, row in self.rows.items()}

    def _common(self, row: Any) -> dict[str, Any]:
        ids = self.ids.get(row.id, {})
        letter = self.kind.letter
        attribute = {"A": "author.id", "S": "primary_location.source.id", "I": "institutions.id",
                     "T": "topics.id"}[letter]  # fmt: skip
        return {
            "id": self._own(letter, row.id),
            "display_name": row.display_name,
            "works_count": row.works_count,
            "ids": {s: ADDRESSES[s].format(v) for s, v in ids.items() if s in ADDRESSES},
            "works_api_url": f"{self.base}/works?filter={attribute}:{letter}{row.id}",
            "x_page": _page(self.site, letter, row.id),
        }

    def _own(self, letter: str, number: int) -> str:
        return f"{self.base}/{PLACES[letter]}/{letter}{number}"

    def _load_authors(self) -> None:
        names, places, topics = defaultdict(list), defaultdict(list), defaultdict(list)
        if "display_name_alternatives" in self.wanted:
            rows: Any = self.session.execute(
                select(Authorship.person_id, Authorship.raw_name)
                .where(Authorship.person_id.in_(self.numbers)).distinct()
                .order_by(Authorship.person_id, Authorship.raw_name)
            )  # fmt: skip
            for number, name in rows:
                names[number].append(name)
        if self.wanted & {"affiliations", "last_known_institutions"}:
            rows = self.session.execute(
                select(Authorship.person_id, *PLACE, Work.publication_year)
                .join(AuthorshipInstitution, AuthorshipInstitution.authorship_id == Authorship.id)
                .join(Institution, Institution.id == AuthorshipInstitution.institution_id)
                .join(Work, Work.id == Authorship.work_id)
                .where(Authorship.person_id.in_(self.numbers), Work.deleted_at.is_(None))
                .distinct().order_by(Authorship.person_id, Institution.id)
            )  # fmt: skip
            for row in rows:
                places[row.person_id].append((row, row.publication_year))
        if "topics" in self.wanted:
            counted = func.count(func.distinct(Authorship.work_id))
            rows = self.session.execute(
                select(Authorship.person_id, Topic.id, Topic.display_name, counted)
                .join(WorkTopic, WorkTopic.work_id == Authorship.work_id)
                .join(Topic, Topic.id == WorkTopic.topic_id)
                .where(Authorship.person_id.in_(self.numbers))
                .group_by(Authorship.person_id, Topic.id, Topic.display_name)
                .order_by(Authorship.person_id, counted.desc(), Topic.id)
            )  # fmt: skip
            for number, topic, label, count in rows:
                topics[number].append(
                    {"id": self._own("T", topic), "display_name": label, "count": count}
                )
        self._names, self._places, self._topics = names, places, topics

    def _author(self, row: Any) -> dict[str, Any]:
        years: dict[int, tuple[Any, set[int]]] = {}
        for place, year in self._places[row.id]:
            years.setdefault(place.id, (place, set()))[1].update({year} if year else ())
        stated = [
            {"institution": _place(place, self.base), "years": sorted(at, reverse=True)}
            for place, at in years.values()
        ]
        latest = max((year for _, at in years.values() for year in at), default=None)
        return {
            "orcid": ADDRESSES["orcid"].format(row.orcid) if row.orcid else None,
            "display_name_alternatives": self._names[row.id],
            "cited_by_count": row.cited_by_count,
            "affiliations": stated,
            "last_known_institutions": [
                _place(place, self.base) for place, at in years.values() if latest in at
            ],
            "topics": self._topics[row.id][:25],
            "created_date": row.created_at.date().isoformat(),
            "x_rule": row.rule,
        }

    def _source(self, row: Any) -> dict[str, Any]:
        return {"issn_l": self.ids.get(row.id, {}).get("issn"), "type": row.type}

    def _institution(self, row: Any) -> dict[str, Any]:
        return _place(row, self.base)

    def _topic(self, row: Any) -> dict[str, Any]:
        words = [w.strip() for w in (row.keywords or "").split(",") if w.strip()]
        return {"keywords": words, "x_origin": row.origin}


class _Works(_Others):
    """Works of one page."""

    def made(self) -> dict[int, dict[str, Any]]:
        """Number to object."""
        self._load()
        return {number: self._work(row) for number, row in self.rows.items()}

    def _load(self) -> None:
        wanted, session, numbers = self.wanted, self.session, self.numbers
        self.authors: dict[int, list[Any]] = defaultdict(list)
        self.at: dict[int, list[Any]] = defaultdict(list)
        self.topics: dict[int, list[dict[str, Any]]] = defaultdict(list)
        self.cited: dict[int, list[int]] = defaultdict(list)
        self.artifacts: dict[int, list[dict[str, str]]] = defaultdict(list)
        self.venues: dict[int, Any] = {}
        self.retracted: set[int] = set()
        if "authorships" in wanted:
            self._load_authorships()
        places: set[int] = set()
        if wanted & {"primary_location", "best_oa_location", "locations"}:
            places = {row.venue_id for row in self.rows.values() if row.venue_id is not None}
            found = session.scalars(select(Venue).where(Venue.id.in_(places)))
            self.venues = {venue.id: venue for venue in found}
        ids = _identifiers(session, {"W": numbers, "S": list(places)})
        self.ids, self.venue_ids = ids["W"], ids["S"]
        if wanted & {"topics", "primary_topic"}:
            rows: Any = session.execute(
                select(WorkTopic.work_id, WorkTopic.score, Topic.id, Topic.display_name)
                .join(Topic, Topic.id == WorkTopic.topic_id)
                .where(WorkTopic.work_id.in_(numbers))
                .order_by(
                    WorkTopic.work_id,
                    Topic.origin,
                    func.coalesce(WorkTopic.score, -1.0).desc(),
                    Topic.display_name,
                )
            )
            for work, score, topic, label in rows:
                self.topics[work].append(
                    {"id": self._own("T", topic), "display_name": label, "score": score}
                )
        if "referenced_works" in wanted:
            rows = session.execute(
                select(Citation.citing_id, Citation.cited_id)
                .where(Citation.citing_id.in_(numbers), Citation.cited_id.is_not(None))
                .order_by(Citation.citing_id, Citation.id)
            )
            for citing, cited in rows:
                self.cited[citing].append(cited)
        if "is_retracted" in wanted:
            retracted = select(Notice.work_id).where(
                Notice.work_id.in_(numbers), Notice.kind == "retraction"
            )
            self.retracted = set(session.scalars(retracted))
        if "x_artifacts" in wanted:
            for one in session.scalars(select(Artifact).where(Artifact.work_id.in_(numbers))):
                self.artifacts[one.work_id].append({"kind": one.kind, "url": one.url})

    def _load_authorships(self) -> None:
        # Columns, not entities: a list of 200 works has a thousand of these rows.
        statement = (
            select(
                Authorship.work_id, Authorship.id, Authorship.person_id, Authorship.raw_name,
                Authorship.raw_affiliation, Authorship.is_corresponding, Person.display_name, Person.orcid,
            )
            .outerjoin(Person, Person.id == Authorship.person_id)
            .where(Authorship.work_id.in_(self.numbers))
            .order_by(Authorship.work_id, Authorship.position)
        )  # fmt: skip
        if len(self.numbers) > 1:
            statement = statement.where(Authorship.position < SHARED_PEOPLE)
        for signed in self.session.execute(statement):
            self.authors[signed[0]].append(signed)
        placed = self.session.execute(
            select(AuthorshipInstitution.authorship_id, *PLACE)
            .join(Institution, Institution.id == AuthorshipInstitution.institution_id)
            .join(Authorship, Authorship.id == AuthorshipInstitution.authorship_id)
            .where(Authorship.work_id.in_(self.numbers))
            .order_by(AuthorshipInstitution.authorship_id, Institution.id)
        )
        places: dict[int, dict[str, Any]] = {}
        for row in placed:
            place = places.get(row.id) or places.setdefault(row.id, _place(row, self.base))
            self.at[row.authorship_id].append(place)

    def _work(self, row: Any) -> dict[str, Any]:
        ids = self.ids.get(row.id, {})
        doi = ADDRESSES["doi"].format(row.doi) if row.doi else None
        location = self._location(row, doi, ids)
        first, _, last = (row.pages or "").partition("-")
        topics = self.topics[row.id]
        oa_url = (row.pdf_url or location["landing_page_url"]) if row.is_oa else None
        related = self.related(row.id) if self.related and "related_works" in self.wanted else ()
        return {
            "id": self._own("W", row.id),
            "doi": doi,
            "title": row.title,
            "display_name": row.title,
            "publication_year": row.publication_year,
            "publication_date": row.publication_date,
            "type": TYPES.get(row.type, row.type),
            "type_crossref": row.type,
            "language": row.language,
            "ids": {s: ADDRESSES[s].format(v) for s, v in ids.items() if s in ADDRESSES},
            "primary_location": location,
            "best_oa_location": location if row.is_oa else None,
            "locations": [location],
            "open_access": {"is_oa": row.is_oa, "oa_status": None, "oa_url": oa_url},
            "authorships": self._authorships(row),
            "biblio": {
                "volume": row.volume, "issue": row.issue, "first_page": first or None,
                "last_page": last or first or None,
            },
            "is_retracted": self._retracted(row),
            "cited_by_count": row.cited_by_count,
            "topics": topics,
            "primary_topic": topics[0] if topics else None,
            "keywords": [],
            "referenced_works": [self._own("W", one) for one in self.cited[row.id]],
            "referenced_works_count": row.references_count,
            "related_works": [self._own("W", one) for one in related],
            "abstract_inverted_index": inverted_index(row.abstract)
            if "abstract_inverted_index" in self.wanted
            else None,
            "created_date": row.created_at.date().isoformat(),
            "updated_date": row.updated_at.isoformat(timespec="seconds"),
            "cited_by_api_url": f"{self.base}/works?filter=cites:W{row.id}",
            "x_summary": row.summary,
            "x_artifacts": self.artifacts[row.id],
            "x_authors_count": row.authors_count,
            "x_page": _page(self.site, "W", row.id),
        }  # fmt: skip

    def _retracted(self, row: Any) -> bool | None:
        looked = "notices" in row.covered.split()
        return True if row.id in self.retracted else False if looked else None

    def _location(self, row: Any, doi: str | None, ids: dict[str, str]) -> dict[str, Any]:
        venue = self.venues.get(row.venue_id)
        arxiv = ADDRESSES["arxiv"].format(ids["arxiv"]) if "arxiv" in ids else None
        source = None
        if venue is not None:
            known = self.venue_ids.get(venue.id, {})
            source = {
                "id": self._own("S", venue.id), "display_name": venue.display_name,
                "issn_l": known.get("issn"), "type": venue.type,
            }  # fmt: skip
        return {
            "is_oa": row.is_oa,
            "landing_page_url": row.url or doi or arxiv,
            "pdf_url": row.pdf_url,
            "source": source,
            "license": row.licence,
            "version": "submittedVersion" if row.type == "preprint" else None,
        }

    def _authorships(self, row: Any) -> list[dict[str, Any]]:
        found = []
        total = row.authors_count or len(self.authors[row.id])
        for index, one in enumerate(self.authors[row.id]):
            _, number, person_id, printed, affiliation, corresponding, name, orcid = one
            person_id = None if person_id in self.hidden else person_id
            position = "first" if index == 0 else "last" if index == total - 1 else "middle"
            places = self.at[number]
            found.append(
                {
                    "author_position": position,
                    "author": {
                        "id": self._own("A", person_id) if person_id is not None else None,
                        "display_name": name if name and person_id else printed,
                        "orcid": ADDRESSES["orcid"].format(orcid) if orcid and person_id else None,
                    },
                    "institutions": places,
                    "countries": sorted({p["country_code"] for p in places if p["country_code"]}),
                    "is_corresponding": corresponding,
                    "raw_author_name": printed,
                    "raw_affiliation_strings": [affiliation] if affiliation else [],
                }
            )
        return found


def _place(row: Any, base: str) -> dict[str, Any]:
    return {
        "id": f"{base}/institutions/I{row.id}",
        "display_name": row.display_name,
        "ror": ADDRESSES["ror"].format(row.ror) if row.ror else None,
        "country_code": row.country_code,
        "type": row.type,
    }


def _page(site: str, letter: str, number: int) -> str:
    places = {"W": "works", "A": "people", "S": "venues", "I": "institutions", "T": "topics"}
    return f"{site}/{places[letter]}/{letter}{number}"


def _identifiers(
    session: Session, wanted: Mapping[str, Sequence[int]]
) -> dict[str, dict[int, dict[str, str]]]:
    """Letter and number of entities to scheme and value, the least of each scheme. One statement."""
    # The least is taken here: asked to group, SQLite reads every identifier of the kind.
    named = [
        and_(Identifier.entity == letter, Identifier.entity_id.in_(numbers))
        for letter, numbers in wanted.items()
        if numbers
    ]
    rows = session.execute(
        select(Identifier.entity, Identifier.entity_id, Identifier.scheme, Identifier.value).where(
            or_(*named)
        )
    )
    found: dict[str, dict[int, dict[str, str]]] = {letter: defaultdict(dict) for letter in wanted}
    for letter, number, scheme, value in sorted((e, n, s, v) for e, n, s, v in rows):
        found[letter][number].setdefault(scheme, value)
    return found
