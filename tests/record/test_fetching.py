"""Fetching by identifiers, against services on loopback that answer well, badly, slowly and elsewhere."""

from __future__ import annotations

import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import source_samples as samples
from services_on_loopback import Handler, Services, running
from sqlalchemy import func, select

from peerscope.record import ingest, parsed_works
from peerscope.record.database import file_lock
from peerscope.record.fetching import Access, fetch, ids_in, ingest_fetched
from peerscope.record.fetching import client as asking
from peerscope.record.fetching import services as fetching_from
from peerscope.record.importers.bibtex import BibtexImporter
from peerscope.record.models import Source, Work
from peerscope.settings import Settings


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch) -> None:
    """The services are on this machine: no proxy of its surroundings is asked."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")


@pytest.fixture
def services():
    with running() as found:
        yield found


@pytest.fixture
def get(services, tmp_path):
    """Fetch what a text asks for; how long it would have waited is kept in ``get.slept``."""

    def fetched(text: str, **access: object):
        asked, refused = ids_in(text)
        assert asked and not refused
        return fetch(asked, services.access(**access), tmp_path, sleep=fetched.slept.append)

    fetched.slept = []
    return fetched


def reason(fetching) -> str:
    """Of the one identifier that did not come; no file came either."""
    assert fetching.files == []
    (one,) = fetching.missing
    assert one.reason.endswith(".") and "secret" not in one.reason
    return one.reason


ALL = f"10.5555/ABC.1 10.5555/data arXiv:2103.00001 {samples.ADA_ORCID} W2741809807"


def test_records_come_from_where_they_are_and_go_in_as_sources(
    services, get, sqlite, tmp_path
) -> None:
    fetching = get(ALL)
    assert fetching.missing == []
    places = {one.location.split("/")[1]: one for one in fetching.files}
    assert set(places) == {"crossref", "datacite", "arxiv", "orcid", "openalex"}
    for one in fetching.files:
        assert one.path == tmp_path / one.location and one.path.is_file()
        assert ingest_fetched(sqlite, one).added == 1
    assert places["crossref"].name == "Crossref, 10.5555/abc.1"
    with sqlite.session() as session:
        importers = dict(session.execute(select(Source.location, Source.importer)).all())
        shown = list(parsed_works(session))
    assert {location.split("/")[1]: name for location, name in importers.items()} == {
        "crossref": "crossref", "datacite": "csl", "arxiv": "arxiv", "orcid": "orcid", "openalex": "openalex",
    }  # fmt: skip
    assert len(shown) == 3
    few = next(work for work in shown if work.ids.get("doi") == "10.5555/abc.1")
    assert few.ids["arxiv"] == "2103.00001" and few.authors[0].ids == {"orcid": samples.ADA_ORCID}
    assert not list(tmp_path.rglob(".*")), "nothing half written is left"


def test_asking_again_changes_nothing_and_adds_no_source(get, sqlite) -> None:
    for added in (1, 0):
        for one in get(ALL).files:
            assert ingest_fetched(sqlite, one).added == added
    with sqlite.session() as session:
        assert session.scalar(select(func.count()).select_from(Source)) == 5
        assert session.scalar(select(func.count()).select_from(Work)) == 3


def test_what_came_by_id_joins_the_work_of_a_bibliography(get, sqlite, tmp_path) -> None:
    bib = tmp_path / "a.bib"
    bib.write_text(samples.BIBTEX)
    ingest(sqlite, BibtexImporter(), str(bib))
    for one in get("10.5555/abc.1 2103.00001").files:
        ingest_fetched(sqlite, one)
    with sqlite.session() as session:
        (work,) = parsed_works(session)
    assert work.abstract and [notice.kind for notice in work.notices] == [
        "correction",
        "retraction",
    ]


def test_services_are_told_who_asks(services, get) -> None:
    get("10.5555/abc.1", site="https://site.example.org")
    path, headers = services.requests[0]
    assert path == "/crossref/works/10.5555%2Fabc.1?mailto=ada%40example.org"
    agent = headers.get("User-Agent") or headers["user-agent"]
    assert agent.startswith("Peerscope/") and agent.endswith(
        "(https://site.example.org; mailto:ada@example.org)"
    )
    assert Access(site="https://a\r\nX: y").agent == Access().agent


def test_settings_say_where_and_who() -> None:
    settings = Settings(
        contact="ada@example.org", openalex_key="k", crossref_api="https://c.example.org"
    )
    access = Access.of(settings, patience=3)
    assert access.turns == settings.home / "fetched", (
        "wherever a file is kept, a site takes its turns"
    )
    assert (access.contact, access.openalex_key, access.crossref, access.patience) == (
        "ada@example.org", "k", "https://c.example.org", 3,
    )  # fmt: skip
    for bad in ("a b@c.de", "a@b.de\r\nX: y", "a@b.de>", "nobody"):
        with pytest.raises(ValueError, match="contact"):
            Settings(contact=bad)


def test_a_notice_brings_the_work_it_is_about(services, get, sqlite) -> None:
    services.works["10.5555/n"] = samples.message(
        DOI="10.5555/n", title=["Retraction of a work"], relation=None,
        **{"updated-by": None, "update-to": [{"DOI": "10.5555/abc.1", "type": "retraction"}, {"DOI": "10.5555/gone", "type": "erratum"}]},
    )  # fmt: skip
    (one,) = get("10.5555/n").files
    assert ingest_fetched(sqlite, one).added == 2
    with sqlite.session() as session:
        told = {work.ids["doi"]: {n.kind for n in work.notices} for work in parsed_works(session)}
    assert told == {"10.5555/n": set(), "10.5555/abc.1": {"retraction", "correction"}}


def test_many_ids_of_arxiv_are_asked_for_together_and_rarely(services, get, tmp_path) -> None:
    ids = [f"2103.{n:05}" for n in range(100, 100 + fetching_from.ARXIV_AT_ONCE + 20)]
    fetching = get(" ".join(ids))
    assert len(services.requests) == 2
    assert len(get.slept) == 1 and 2.5 < get.slept[0] <= fetching_from.ARXIV_PAUSE
    unknown = [one for one in ids if one.endswith("9")]
    assert [one.written for one in fetching.missing] == [f"arXiv:{one}" for one in unknown]
    assert sum(len(one.ids) for one in fetching.files) == len(ids) - len(unknown)
    get("2103.00001", turns=tmp_path / "fetched")
    assert len(get.slept) == 2, "the next command waits for its turn, too"


def test_only_one_process_of_a_site_asks_arxiv(services, get, tmp_path) -> None:
    (tmp_path / "fetched").mkdir()
    with file_lock(tmp_path / "fetched" / "arxiv.lock", "a test"):
        assert "one connection" in reason(get("2103.00001", patience=5.0))
    assert services.requests == [] and sum(get.slept) <= 5


# What services may do


def html(handler: Handler) -> None:
    handler.say(200, b"<html><body>Please sign in</body></html>", "text/html")


def status(code: int, **headers: str):
    return lambda handler: handler.say(code, b"{}", **headers)


def test_a_busy_service_is_given_its_time(services, get) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    services.odd = [status(429, Retry_After="7"), status(503, Retry_After=later), status(502)]
    assert len(get("10.5555/abc.1").files) == 1
    assert len(services.requests) == 4
    first, second, third = get.slept
    assert first == 7 and 15 < second <= 20 and third == 8


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ([status(429, Retry_After="3600")], "asks for fewer requests; try again in 3,600 seconds"),
        ([status(429, Retry_After="9" * 400)], "asks for fewer requests"),
        ([status(503, Retry_After="soon")] * 4, "out of order (503)"),
        ([status(500)] * 4, "out of order (500)"),
    ],
)
def test_patience_has_an_end(services, get, odd, said) -> None:
    services.odd = list(odd)
    assert said in reason(get("10.5555/abc.1"))
    assert sum(get.slept) <= 120


def test_after_a_refusal_the_rest_is_not_asked_for(services, get) -> None:
    services.works |= {f"10.5555/{n}": samples.message(DOI=f"10.5555/{n}") for n in range(3)}
    services.odd = [services.answer, status(429, Retry_After="3600")]
    fetching = get("10.5555/0 10.5555/1 10.5555/2")
    assert len(services.requests) == 2
    assert fetching.files[0].ids == ("10.5555/0",)
    assert [one.written for one in fetching.missing] == ["doi:10.5555/1", "doi:10.5555/2"]


def huge(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    piece = b"x" * (1 << 20)
    try:
        for _ in range(200):
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            handler.server.services.sent = getattr(handler.server.services, "sent", 0) + 1
    except OSError:
        pass
    handler.close_connection = True


def cut(handler: Handler) -> None:
    handler.say(200, b'{"message-type": "work", ', Content_Length="5000")
    handler.close_connection = True


def nothing(handler: Handler) -> None:
    handler.close_connection = True


ODD = [
    ([html], "something that is no record"),
    ([lambda h: h.say(200, b"[]")], "something that is no record"),
    ([lambda h: h.say(200, b"")], "something that is no record"),
    ([lambda h: h.say(200, b"\xff\xfe{}")], "something that is no record"),
    (
        [lambda h: h.say(200, json.dumps(samples.answer({"DOI": 7})).encode())],
        "no record of a work",
    ),
    ([lambda h: h.say(200, b"x", Content_Length=str(10**12))], "larger than 64 MB"),
    ([lambda h: h.say(200, b"x" * 10, Content_Encoding="gzip")], "compressed"),
    ([cut], "broke off"),
    ([nothing], "broke off"),
    ([status(401)], "does not let this site in"),
    ([status(418)], "answers with status 418"),
    ([status(204)], "answers with status 204"),
    ([status(301)], "another place"),
    ([status(302, Location="http://169.254.169.254/latest/meta-data")], "another place"),
    ([status(302, Location="file:///etc/passwd")], "another place"),
    ([status(302, Location="//example.org/works/x")], "another place"),
    ([status(307, Location="http://127.0.0.1:1/x")], "another place"),
    ([status(307, Location="http://[::1")], "another place"),
    ([status(301, Location="/crossref/works/10.5555%2Fabc.1")] * 9, "without end"),
]


@pytest.mark.parametrize(("odd", "said"), ODD)
def test_what_is_no_answer_is_not_kept(services, get, tmp_path, odd, said) -> None:
    services.odd = list(odd)
    assert said in reason(get("10.5555/abc.1"))
    assert not list(tmp_path.rglob("*.jsonl"))


def test_an_endless_answer_is_not_read_to_its_end(services, get, monkeypatch) -> None:
    monkeypatch.setattr(asking, "MOST_BYTES", 4 << 20)
    services.odd = [huge]
    assert "larger than 4 MB" in reason(get("10.5555/abc.1"))
    assert services.sent < 150


def test_a_slow_service_is_not_waited_for(services, get, monkeypatch) -> None:
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.3)
    stop = threading.Event()

    def slow(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        while not stop.wait(0.05):
            try:
                handler.wfile.write(b" ")
                handler.wfile.flush()
            except OSError:
                break

    services.odd = [slow]
    start = time.monotonic()
    assert "in time" in reason(get("10.5555/abc.1"))
    stop.set()
    assert time.monotonic() - start < 5
    monkeypatch.setattr(asking, "READ_SECONDS", 0.2)
    services.odd = [lambda handler: time.sleep(1)]
    assert "in time" in reason(get("10.5555/abc.1"))


def test_a_redirect_within_the_service_is_followed(services, get) -> None:
    services.odd = [status(301, Location="/crossref/works/10.5555%2Fabc.1")]
    assert len(get("10.5555/old").files) == 1


def test_without_a_network_nothing_is_written_and_the_sentence_helps(
    services, get, tmp_path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{probe.getsockname()[1]}"
        everywhere = dict.fromkeys(("crossref", "datacite", "arxiv", "orcid", "openalex"), nowhere)
        fetching = get(ALL, **everywhere)
    assert fetching.files == []
    assert len(fetching.missing) == 5
    for one in fetching.missing:
        assert (
            one.reason
            == "There is no connection to 127.0.0.1; save the record as a file and import that."
        )
    assert services.requests == []
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".json", ".jsonl", ".xml")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10.5555/unknown", "Neither Crossref nor DataCite knows this DOI."),
        ("2103.00009", "arXiv does not know this id."),
        ("0000-0002-1694-233X", "ORCID does not know this iD."),
        ("W99999999", "OpenAlex does not know this work."),
    ],
)
def test_what_nobody_knows_is_said_so(get, text, said) -> None:
    assert reason(get(text)) == said


def test_an_answer_about_somebody_else_is_none(services, get) -> None:
    other = json.dumps(samples.record()).replace(samples.ADA_ORCID, "0000-0002-1694-233X")
    services.odd = [lambda handler: handler.say(200, other.encode())]
    assert "not this person's record" in reason(get(samples.ADA_ORCID))
    services.odd = [html]
    assert "no record" in reason(get("2103.00001"))


def test_openalex_wants_a_key_and_the_key_goes_nowhere_else(services, get, tmp_path) -> None:
    assert "PEERSCOPE_OPENALEX_KEY" in reason(get("W2741809807", openalex_key=""))
    assert services.requests == []
    assert "does not let this site in" in reason(get("W2741809807", openalex_key="wrong"))
    get(ALL)
    assert [
        path for path, _ in services.requests if "secret" in path and "openalex" not in path
    ] == []
    assert all(b"secret" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_service_may_be_switched_off(services, get) -> None:
    assert len(get("10.5555/data", crossref="").files) == 1
    assert reason(get("10.5555/x", crossref="")) == "DataCite does not know it."
    assert reason(get("10.5555/x", datacite="")) == "Crossref does not know this DOI."
    assert "switch Crossref and DataCite off" in reason(get("10.5555/x", crossref="", datacite=""))
    assert "switch this service off" in reason(get("2103.00001", arxiv=""))
    assert "no address of a service" in reason(get("2103.00001", arxiv="ftp://x"))


ODD_DOIS = [
    "10.5555/a?b=c#d",
    "10.5555/a%2f..%2f..%2fb",
    "10.5555/../../heartbeat",
    "10.5555/<script>",
    "10.5555/ä&mailto=x",
]


@pytest.mark.parametrize("doi", ODD_DOIS)
def test_no_doi_leaves_its_place_in_the_address(services: Services, tmp_path, doi) -> None:
    asked, _ = ids_in(f"doi:{doi}")
    if asked:
        fetch(asked, services.access(), tmp_path, sleep=lambda _: None)
    for path, _ in services.requests:
        plain, _, query = path.partition("?")
        assert plain.startswith(
            (
                "/crossref/works/10.5555%2F",
                "/datacite/dois/application/vnd.citationstyles.csl+json/10.5555/",
            )
        )
        assert ".." not in plain.split("/") and query in ("", "mailto=ada%40example.org")
