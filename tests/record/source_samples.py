"""Records in the formats of the services and of Zotero, written after their documentation."""

from __future__ import annotations

import copy
import json
import sqlite3
from pathlib import Path
from typing import Any

ADA, ADA_ORCID = "Ada Example", "0000-0002-1825-0097"

CROSSREF: dict[str, Any] = {
    "DOI": "10.5555/ABC.1",
    "type": "proceedings-article",
    "title": ["Few <i>Negatives</i> &amp; Many Positives"],
    "subtitle": ["A Study of Both"],
    "container-title": ["Proceedings of an Example Conference"],
    "publisher": "Example Press",
    "volume": "3",
    "page": "10-20",
    "ISSN": ["1234-567X"],
    "ISBN": ["http://id.crossref.org/isbn/9781450380164"],
    "issued": {"date-parts": [[2021, 6, 5]]},
    "created": {"date-parts": [[1999, 1, 1]], "date-time": "1999-01-01T00:00:00Z", "timestamp": 1},
    "indexed": {"date-parts": [[2026, 1, 1]], "date-time": "2026-01-01T00:00:00Z"},
    "is-referenced-by-count": 12,
    "references-count": 2,
    "abstract": "<jats:sec><jats:title>Abstract</jats:title><jats:p>We look at <jats:italic>few</jats:italic> negatives.</jats:p></jats:sec>",
    "author": [
        {"given": "Ada", "family": "Example", "sequence": "first", "ORCID": f"https://orcid.org/{ADA_ORCID}",
         "affiliation": [{"name": "Example University", "id": [{"id": "https://ror.org/05apxxy63", "id-type": "ROR", "asserted-by": "publisher"}]}]},
        {"name": "The Example Collaboration", "sequence": "additional", "affiliation": []},
        {"given": "Ben", "family": "Sample", "suffix": "Jr.", "sequence": "additional", "affiliation": []},
    ],
    "editor": [{"given": "Eve", "family": "Editor"}],
    "reference": [
        {"key": "1", "DOI": "10.5555/CITED", "doi-asserted-by": "publisher", "author": "Sample"},
        {"key": "2", "author": "Other", "year": "1999", "article-title": "An older one"},
        {"key": "3", "unstructured": "Someone, Somewhere, 2001."},
        {"key": "4"},
    ],
    "relation": {"has-preprint": [{"id-type": "doi", "id": "10.48550/arXiv.2103.00001", "asserted-by": "object"}]},
    "updated-by": [
        {"DOI": "10.5555/notice", "type": "retraction", "label": "Retraction", "source": "retraction-watch",
         "updated": {"date-parts": [[2023, 4, 22]]}},
        {"DOI": "10.5555/notice", "type": "retraction", "label": "Retraction", "source": "publisher",
         "updated": {"date-parts": [[2023, 5, 1]]}},
        {"DOI": "10.5555/corr", "type": "erratum", "source": "publisher", "updated": {"date-parts": [[2022, 1]]}},
        {"DOI": "10.5555/ed2", "type": "new_edition", "source": "publisher", "updated": {"date-parts": [[2024]]}},
    ],
}  # fmt: skip


def message(**changes: Any) -> dict[str, Any]:
    """A copy of the sample message; a change to ``None`` takes the field out."""
    made = copy.deepcopy(CROSSREF) | changes
    return {name: value for name, value in made.items() if value is not None}


def answer(work: dict[str, Any]) -> dict[str, Any]:
    return {"status": "ok", "message-type": "work", "message-version": "1.0.0", "message": work}


def listing(*works: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": "ok", "message-type": "work-list", "message-version": "1.0.0",
        "message": {"facets": {"items": [1]}, "total-results": 9, "items": list(works), "items-per-page": 20,
                    "query": {"start-index": 0, "search-terms": None}},
    }  # fmt: skip


def atom(*entries: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        '<link href="http://arxiv.org/api/query?id_list=1" rel="self" type="application/atom+xml"/>'
        "<title>ArXiv Query</title><id>http://arxiv.org/api/abc</id>" + "".join(entries) + "</feed>"
    )


ENTRY = r"""<entry>
 <id>http://arxiv.org/abs/2103.00001v2</id>
 <updated>2021-09-01T00:00:00Z</updated><published>2021-03-01T17:00:00Z</published>
 <title>Few Negatives and
  $k$ Many Positives: G\"odel</title>
 <summary>  We look at few &lt; 10 negatives.
 </summary>
 <author><name>Ada Example</name><arxiv:affiliation xmlns:arxiv="http://arxiv.org/schemas/atom">Example University</arxiv:affiliation></author>
 <author><name>Ben Sample</name></author>
 <arxiv:comment xmlns:arxiv="http://arxiv.org/schemas/atom">12 pages</arxiv:comment>
 <arxiv:journal_ref xmlns:arxiv="http://arxiv.org/schemas/atom">Proc. Example 3 (2021)</arxiv:journal_ref>
 <arxiv:doi xmlns:arxiv="http://arxiv.org/schemas/atom">10.5555/ABC.1</arxiv:doi>
 <link href="http://arxiv.org/abs/2103.00001v2" rel="alternate" type="text/html"/>
 <arxiv:primary_category xmlns:arxiv="http://arxiv.org/schemas/atom" term="cs.LG" scheme="http://arxiv.org/schemas/atom"/>
 <category term="cs.LG" scheme="http://arxiv.org/schemas/atom"/>
 <category term="cs.CV" scheme="http://arxiv.org/schemas/atom"/>
 <category term="stat.ML" scheme="http://arxiv.org/schemas/atom"/>
</entry>"""

WRONG_ID = """<entry><id>http://arxiv.org/api/errors#incorrect_id_format_for_1</id><title>Error</title>
<summary>incorrect id format for 1</summary><updated>2026-01-01T00:00:00Z</updated></entry>"""


def harvest(*records: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        "<responseDate>2026-01-01T00:00:00Z</responseDate><ListRecords>"
        + "".join(records)
        + "<resumptionToken>1|1001</resumptionToken></ListRecords></OAI-PMH>"
    )


def oai(identifier: str, metadata: str, deleted: bool = False) -> str:
    status = ' status="deleted"' if deleted else ""
    body = "" if deleted else f"<metadata>{metadata}</metadata>"
    return (
        f"<record><header{status}><identifier>oai:arXiv.org:{identifier}</identifier>"
        f"<datestamp>2021-09-01</datestamp><setSpec>cs</setSpec></header>{body}</record>"
    )


PLAIN = """<arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>2103.00001</id><created>2021-03-01</created><updated>2021-09-01</updated>
<authors><author><keyname>Example</keyname><forenames>Ada</forenames><affiliation>Example University</affiliation></author>
<author><keyname>Sample</keyname><forenames>Ben</forenames><suffix>Jr</suffix></author></authors>
<title>Few Negatives and $k$ Many Positives</title><categories>cs.LG stat.ML cs.CV</categories><doi>10.5555/ABC.1</doi>
<license>http://creativecommons.org/licenses/by/4.0/</license><abstract> We look at few negatives. </abstract></arXiv>"""

RAW = """<arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/"><id>math.GT/0309136</id><submitter>Ada Example</submitter>
<version version="v2"><date>Mon, 5 Jan 2004 10:00:00 GMT</date><size>9kb</size></version>
<version version="v1"><date>Mon, 8 Sep 2003 10:00:00 GMT</date><size>9kb</size></version>
<title>An old one</title><authors>Ada Example (1 and (2)), Ben Sample Jr., and Eve de la Other ((1) Here, (2) There)</authors>
<categories>math.GT math.AG</categories><abstract>Old.</abstract></arXivRaw>"""


def value(text: str | None) -> dict[str, Any] | None:
    return None if text is None else {"value": text}


def external(
    scheme: str, printed: str, relation: str = "self", normal: str | None = None
) -> dict[str, Any]:
    return {
        "external-id-type": scheme, "external-id-value": printed, "external-id-url": None,
        "external-id-normalized": {"value": normal, "transient": True} if normal else None,
        "external-id-normalized-error": None, "external-id-relationship": relation,
    }  # fmt: skip


def summary(code: int, named: str, *ids: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "put-code": code,
        "source": {"source-orcid": {"path": ADA_ORCID}, "source-client-id": None, "source-name": value("Ada E.")},
        "title": {"title": value(named), "subtitle": None, "translated-title": None},
        "external-ids": {"external-id": list(ids)},
        "type": "journal-article",
        "publication-date": {"year": value("2021"), "month": value("06"), "day": None},
        "journal-title": value("Journal of Examples"),
        "url": value("https://example.org/work"),
        "visibility": "public", "display-index": "0", "path": f"/{ADA_ORCID}/work/{code}",
    } | changes  # fmt: skip


def works(*groups: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "last-modified-date": {"value": 1},
        "group": [
            {"last-modified-date": {"value": 1}, "external-ids": {"external-id": []}, "work-summary": one}
            for one in groups
        ],
        "path": f"/{ADA_ORCID}/works",
    }  # fmt: skip


def record(*groups: list[dict[str, Any]], name: Any = "") -> dict[str, Any]:
    named = {"given-names": value("Ada"), "family-name": value("Example"), "credit-name": None}
    return {
        "orcid-identifier": {"uri": f"https://orcid.org/{ADA_ORCID}", "path": ADA_ORCID, "host": "orcid.org"},
        "person": {"name": named if name == "" else name, "emails": {"email": []}},
        "activities-summary": {"fundings": {"group": [{"x": 1}]}, "works": works(*groups)},
        "path": f"/{ADA_ORCID}",
    }  # fmt: skip


ITEM: dict[str, Any] = {
    "key": "ABCD2345",
    "version": 7,
    "itemType": "conferencePaper",
    "title": "Few <i>Negatives</i> and Many Positives: A Study of Both",
    "creators": [
        {"creatorType": "author", "firstName": "Ada", "lastName": "Example"},
        {"creatorType": "author", "name": "The Example Collaboration"},
        {"creatorType": "author", "firstName": "Ben", "lastName": "Sample"},
        {"creatorType": "editor", "firstName": "Eve", "lastName": "Editor"},
    ],
    "abstractNote": "We look at few negatives.",
    "date": "2021-06-05",
    "proceedingsTitle": "Proceedings of an Example Conference",
    "conferenceName": "An Example Conference",
    "publisher": "Example Press",
    "volume": "3",
    "pages": "10–20",
    "DOI": "10.5555/ABC.1",
    "ISBN": "978-1-4503-8016-4",
    "language": "en",
    "url": "https://example.org/paper",
    "extra": "Citation Key: example2021few\narXiv: 2103.00001 [cs]\nPMID: 123\nmy own note about Zed",
    "accessDate": "2026-01-01T00:00:00Z",
    "libraryCatalog": "somewhere",
    "tags": [{"tag": "contrastive learning"}, {"tag": "negatives", "type": 1}, {"tag": "⭐"}],
    "collections": ["XYZ"],
    "relations": {"dc:relation": ["http://zotero.org/users/1/items/Z"]},
    "citationKey": "example2021few",
}
NOTE = {"key": "NOTE2345", "itemType": "note", "note": "<p>private</p>", "tags": []}
ATTACHMENT = {
    "key": "ATTA2345",
    "itemType": "attachment",
    "title": "PDF",
    "path": "/home/ada/x.pdf",
}

BETTER_BIBTEX = {
    "config": {"id": "36a3b0b5-bad0-4a04-b79b-441c7cef77db", "label": "BetterBibTeX JSON"},
    "version": {"zotero": "7.0", "bbt": "7.0"},
    "collections": {"C1": {"key": "C1", "name": "one", "items": [1, 2], "collections": []}},
    "items": [
        {name: value for name, value in ITEM.items() if name != "key"} | {"itemID": 1, "itemKey": "ABCD2345"},
        NOTE,
    ],
}  # fmt: skip

RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:z="http://www.zotero.org/namespaces/export#"
 xmlns:dcterms="http://purl.org/dc/terms/" xmlns:bib="http://purl.org/net/biblio#" xmlns:foaf="http://xmlns.com/foaf/0.1/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:prism="http://prismstandard.org/namespaces/1.2/basic/"
 xmlns:link="http://purl.org/rss/1.0/modules/link/" xmlns:vcard="http://nwalsh.com/rdf/vCard#">
 <bib:Article rdf:about="https://example.org/paper">
  <z:itemType>journalArticle</z:itemType>
  <dcterms:isPartOf rdf:resource="urn:issn:1234-567X"/>
  <bib:authors><rdf:Seq>
   <rdf:li><foaf:Person><foaf:surname>Example</foaf:surname><foaf:givenName>Ada</foaf:givenName></foaf:Person></rdf:li>
   <rdf:li><foaf:Person><foaf:surname>The Example Collaboration</foaf:surname></foaf:Person></rdf:li>
   <rdf:li><foaf:Person><foaf:surname>Sample</foaf:surname><foaf:givenName>Ben</foaf:givenName></foaf:Person></rdf:li>
  </rdf:Seq></bib:authors>
  <link:link rdf:resource="#item_3"/>
  <dcterms:isReferencedBy rdf:resource="#item_4"/>
  <dc:subject><z:AutomaticTag><rdf:value>negatives</rdf:value></z:AutomaticTag></dc:subject>
  <dc:subject>contrastive learning</dc:subject>
  <dc:title>Few Negatives and Many Positives: A Study of Both</dc:title>
  <dcterms:abstract>We look at few negatives.</dcterms:abstract>
  <dc:date>2021-06-05</dc:date><z:language>en</z:language>
  <dc:identifier><dcterms:URI><rdf:value>https://example.org/paper</rdf:value></dcterms:URI></dc:identifier>
  <dc:description>arXiv: 2103.00001 [cs]
PMID: 123</dc:description>
  <bib:pages>10-20</bib:pages>
 </bib:Article>
 <bib:Journal rdf:about="urn:issn:1234-567X">
  <prism:volume>3</prism:volume><prism:number>2</prism:number><dc:title>Journal of Examples</dc:title>
  <dc:identifier>DOI 10.5555/ABC.1</dc:identifier><dc:identifier>ISSN 1234-567X</dc:identifier>
 </bib:Journal>
 <z:Attachment rdf:about="#item_3"><z:itemType>attachment</z:itemType><dc:title>PDF</dc:title></z:Attachment>
 <bib:Memo rdf:about="#item_4"><rdf:value>private</rdf:value></bib:Memo>
 <bib:BookSection rdf:about="#item_5">
  <z:itemType>bookSection</z:itemType>
  <dcterms:isPartOf><bib:Book><dcterms:isPartOf><bib:Series><dc:title>A Series</dc:title></bib:Series></dcterms:isPartOf>
   <dc:title>A Book of Examples</dc:title><dc:identifier>ISBN 978-1-4503-8016-4</dc:identifier></bib:Book></dcterms:isPartOf>
  <dc:publisher><foaf:Organization><vcard:adr><vcard:Address><vcard:locality>Here</vcard:locality></vcard:Address></vcard:adr><foaf:name>Example Press</foaf:name></foaf:Organization></dc:publisher>
  <bib:editors><rdf:Seq><rdf:li><foaf:Person><foaf:surname>Editor</foaf:surname><foaf:givenname>Eve</foaf:givenname></foaf:Person></rdf:li></rdf:Seq></bib:editors>
  <dc:title>A Chapter of Examples</dc:title><dc:date>1999</dc:date>
 </bib:BookSection>
 <rdf:Description rdf:about="http://arxiv.org/abs/2103.00001">
  <z:itemType>preprint</z:itemType><dc:title>A Preprint of Examples</dc:title>
  <prism:number>arXiv:2103.00001</prism:number><dc:date>March 2021</dc:date><z:repository>arXiv</z:repository>
 </rdf:Description>
 <bib:Thesis rdf:about="#item_9"><z:itemType>thesis</z:itemType><dc:date>2001</dc:date></bib:Thesis>
 <z:Collection rdf:about="#collection_1"><dc:title>Mine</dc:title><dcterms:hasPart rdf:resource="#item_5"/></z:Collection>
</rdf:RDF>"""

SCHEMA = """
CREATE TABLE libraries (libraryID INTEGER PRIMARY KEY, type TEXT);
CREATE TABLE itemTypes (itemTypeID INTEGER PRIMARY KEY, typeName TEXT);
CREATE TABLE items (itemID INTEGER PRIMARY KEY, itemTypeID INT, dateAdded TEXT, libraryID INT, key TEXT);
CREATE TABLE deletedItems (itemID INTEGER PRIMARY KEY);
CREATE TABLE fields (fieldID INTEGER PRIMARY KEY, fieldName TEXT);
CREATE TABLE itemDataValues (valueID INTEGER PRIMARY KEY, value UNIQUE);
CREATE TABLE itemData (itemID INT, fieldID INT, valueID, PRIMARY KEY (itemID, fieldID));
CREATE TABLE creators (creatorID INTEGER PRIMARY KEY, firstName TEXT, lastName TEXT, fieldMode INT);
CREATE TABLE creatorTypes (creatorTypeID INTEGER PRIMARY KEY, creatorType TEXT);
CREATE TABLE itemCreators (itemID INT, creatorID INT, creatorTypeID INT, orderIndex INT);
CREATE TABLE tags (tagID INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE itemTags (itemID INT, tagID INT, type INT);
CREATE TABLE itemNotes (itemID INTEGER PRIMARY KEY, parentItemID INT, note TEXT);
"""


def library(
    path: Path, *items: dict[str, Any], libraries: tuple[int, ...] = (), bin_: tuple[str, ...] = ()
) -> Path:
    """A ``zotero.sqlite`` with items in the shape of the web API."""
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    numbers: dict[tuple[str, str], int] = {}

    def number(table: str, column: str, value: Any) -> int:
        known = numbers.get((table, str(value)))
        if known is None:
            known = numbers[table, str(value)] = len(numbers) + 1
            key = connection.execute(f"PRAGMA table_info({table})").fetchone()[1]
            connection.execute(
                f"INSERT INTO {table} ({key}, {column}) VALUES (?, ?)", (known, value)
            )
        return known

    skipped = {"key", "itemType", "creators", "tags", "collections", "relations", "version"}
    for at, item in enumerate(items, 1):
        place = libraries[at - 1] if libraries else 1
        kind = number("itemTypes", "typeName", item["itemType"])
        connection.execute(
            "INSERT INTO items VALUES (?, ?, '', ?, ?)", (at, kind, place, item["key"])
        )
        for name, text in item.items():
            if name not in skipped:
                field, stored = (
                    number("fields", "fieldName", name),
                    number("itemDataValues", "value", text),
                )
                connection.execute("INSERT INTO itemData VALUES (?, ?, ?)", (at, field, stored))
        for order, one in enumerate(item.get("creators", ())):
            cursor = connection.execute(
                "INSERT INTO creators (firstName, lastName, fieldMode) VALUES (?, ?, ?)",
                (
                    one.get("firstName", ""),
                    one.get("lastName") or one.get("name"),
                    int("name" in one),
                ),
            )
            role = number("creatorTypes", "creatorType", one["creatorType"])
            connection.execute(
                "INSERT INTO itemCreators VALUES (?, ?, ?, ?)", (at, cursor.lastrowid, role, order)
            )
        for one in item.get("tags", ()):
            tag = number("tags", "name", one["tag"])
            connection.execute("INSERT INTO itemTags VALUES (?, ?, 0)", (at, tag))
        if item["key"] in bin_:
            connection.execute("INSERT INTO deletedItems VALUES (?)", (at,))
    connection.commit()
    connection.close()
    return path


BIBTEX = """@inproceedings{few, title = {Few Negatives \\& Many Positives: A Study of Both},
 author = {Example, Ada and {The Example Collaboration} and Sample, Ben}, year = 2021, doi = {10.5555/abc.1},
 eprint = {2103.00001}, archiveprefix = {arXiv}}
"""


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()
