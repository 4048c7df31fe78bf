"""ACL Anthology XML: one collection a file, or a folder of them, streamed paper by paper.

Ids follow the Anthology: ``W07-1431`` for collections named by a letter and two digits, ``2020.acl-main.5``
for the newer ones. Entities are never resolved and nothing is fetched. Broken XML ends its file: the papers
before the break are good, the break is one quarantined record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from peerscope.record.files import BlockStream, BrokenFileError
from peerscope.record.importers.bibliography import (
    Located,
    Refused,
    check_year,
    doi_of,
    numbered,
    orcid_of,
    require_title,
    year_of,
)
from peerscope.record.markup import Marked, clean, from_tex
from peerscope.record.parsed import ParsedAuthor, ParsedNotice, ParsedWork, Record

MARKS = {"i": "emph", "b": "textbf", "sup": "textsuperscript", "sub": "textsubscript"}
_OLD = re.compile(r"[A-Z]\d{2}")
_TEX_SPECIAL = re.compile(r"([#%&_{}$])")


class AclXmlImporter:
    """Importer of the ACL Anthology's own XML."""

    name = "acl-xml"
    covers = frozenset({"abstract", "affiliations", "ids", "notices"})

    def read(self, path: str) -> Iterator[Record]:
        """Stream the papers of a file, or of all ``*.xml`` of a folder in order of name."""
        place = Path(path)
        files = sorted(place.rglob("*.xml")) if place.is_dir() else [place]
        yield from numbered(found for file in files for found in _papers(file))


def _papers(file: Path) -> Iterator[Located]:
    collection, volume = "", _Volume()
    try:
        events = etree.iterparse(
            BlockStream(file),
            events=("start", "end"),
            tag=("collection", "volume", "meta", "paper", "frontmatter"),
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=False,
            recover=False,
        )
        for event, element in events:
            if event == "start":
                if element.tag == "collection":
                    collection = element.get("id") or ""
                elif element.tag == "volume":
                    volume = _Volume(element.get("id") or "")
                continue
            if element.tag == "meta":
                volume.read(element)
            elif element.tag == "paper":
                yield _located(element, collection, volume)
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
    except (etree.XMLSyntaxError, BrokenFileError) as error:
        line = getattr(error, "lineno", None) or 0
        yield Located(
            line,
            "",
            Refused(
                f"The XML of {file.name} breaks off: {clean(str(error))[:300]}.",
                "Mend or fetch the file again and import it; the papers before the break are in.",
            ),
        )


class _Volume:
    """What the papers of a volume share."""

    def __init__(self, number: str = "") -> None:
        self.number = number
        self.title: str | None = None
        self.year: int | None = None
        self.venue: str | None = None
        self.publisher: str | None = None

    def read(self, meta: etree._Element) -> None:
        title = meta.find("booktitle")
        self.title = marked(title).text if title is not None else None
        self.publisher = clean(meta.findtext("publisher") or "") or None
        slug = clean(meta.findtext("venue") or "")
        self.venue = slug or None
        try:
            self.year = year_of(meta.findtext("year") or "")
        except Refused:
            self.year = None


def _located(paper: etree._Element, collection: str, volume: _Volume) -> Located:
    line = paper.sourceline or 0
    try:
        return Located(line, "", _work(paper, collection, volume))
    except Refused as refusal:
        source = etree.tostring(paper, encoding="unicode")[:500]
        return Located(line, source, refusal, paper_id(collection, volume.number, paper.get("id")))


def paper_id(collection: str, volume: str, paper: str | None) -> str:
    """The Anthology id of a paper."""
    number = paper or "0"
    if _OLD.fullmatch(collection):
        width = 2 if collection.startswith("W") or (collection, volume) == ("C69", "1") else 1
        tail = number.zfill(4 - width) if number.isdigit() else number
        return f"{collection}-{volume.zfill(width)}{tail}"
    return f"{collection}-{volume}.{number}"


def _work(paper: etree._Element, collection: str, volume: _Volume) -> ParsedWork:
    own = paper_id(collection, volume.number, paper.get("id"))
    element = paper.find("title")
    title = marked(element) if element is not None else Marked("", None)
    require_title(title.text)
    text = paper.find("abstract")
    abstract = marked(text) if text is not None else Marked("", None)
    ids = {"acl": own}
    if doi := doi_of(paper.findtext("doi") or ""):
        ids["doi"] = doi
    year = volume.year
    if year is None and (match := re.match(r"(\d{4})\.", collection)):
        year = check_year(int(match[1]))
    extra = {
        name: value for name in ("bibkey", "url") if (value := clean(paper.findtext(name) or ""))
    }
    from peerscope.record.importers.jsonl import VENUES, WORKSHOPS

    slug = volume.venue
    venue = volume.title if slug is None or slug in WORKSHOPS else VENUES.get(slug, slug.upper())
    return ParsedWork(
        key=own,
        title=title.text,
        title_markup=title.markup,
        abstract=abstract.text or None,
        abstract_markup=abstract.markup,
        type="journal-article" if slug in ("cl", "tacl") else "proceedings-article",
        year=year,
        language=clean(paper.findtext("language") or "") or None,
        venue=venue,
        publisher=volume.publisher,
        pages=clean(paper.findtext("pages") or "").replace("–", "-") or None,
        ids=ids,
        authors=[one for found in paper.findall("author") if (one := _author(found))],
        editors=[one for found in paper.findall("editor") if (one := _author(found))],
        notices=_notices(paper),
        extra=extra | ({"container": volume.title} if volume.title else {}),
    )


def _author(found: etree._Element) -> ParsedAuthor | None:
    given, family = clean(found.findtext("first") or ""), clean(found.findtext("last") or "")
    name = f"{given} {family}".strip()
    if not name:
        return None
    ids = {"acl": own} if (own := found.get("id")) else {}
    if orcid := orcid_of(found.get("orcid") or ""):
        ids["orcid"] = orcid
    return ParsedAuthor(
        name=name,
        family=family or None,
        given=given or None,
        ids=ids,
        raw_affiliation=clean(found.findtext("affiliation") or "") or None,
    )


def _notices(paper: etree._Element) -> list[ParsedNotice]:
    notices = [ParsedNotice("retraction", one.get("date")) for one in paper.findall("retracted")]
    return notices + [
        ParsedNotice("correction", one.get("date")) for one in paper.findall("erratum")
    ]


def marked(element: etree._Element) -> Marked:
    """The text of an element: its emphasis and TeX maths as markup, case protection dropped."""
    return from_tex(_tex(element))


def _tex(element: etree._Element) -> str:
    parts = [_escaped(element.text)]
    for child in element:
        if not isinstance(child.tag, str):
            parts.append(_escaped(child.tail))
            continue
        inner = _tex(child)
        if child.tag == "tex-math":
            parts.append("$" + ("".join(child.itertext())).replace("$", "") + "$")
        elif child.tag in MARKS:
            parts.append(f"\\{MARKS[child.tag]}{{{inner}}}")
        else:
            parts.append(inner)
        parts.append(_escaped(child.tail))
    return "".join(parts)


def _escaped(text: str | None) -> str:
    """Plain text, with what TeX would read as a sign kept as it is."""
    return _TEX_SPECIAL.sub(r"\\\1", (text or "").replace("\\", "\\textbackslash "))
