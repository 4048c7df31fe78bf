"""The OpenAlex-shaped API, asked by OpenAlex's public Python client, unmodified, over TLS."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import threading
import time
from collections import Counter
from itertools import chain

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import func, select

from peerscope.record import count_statements
from peerscope.record.models import Person, Work
from peerscope.web import create_app

pyalex = pytest.importorskip("pyalex")
HOST = "api.openalex.org"


def certificate(folder):
    """A certificate for the client's fixed host name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(HOST), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture(scope="module")
def client_of_openalex(site, tmp_path_factory):
    """The client sees this site under the one host that it knows: a proxy's rule, as an operator has it."""
    application = create_app(*site)

    async def under_prefix(scope, receive, send):
        if scope["type"] == "http":
            path = "/api/v1" + scope["path"]
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await application(scope, receive, send)

    cert, key = certificate(tmp_path_factory.mktemp("tls"))
    config = uvicorn.Config(
        under_prefix, port=0, log_level="warning", ssl_certfile=str(cert), ssl_keyfile=str(key)
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    found = socket.getaddrinfo

    def addresses(host, number, *rest, **more):
        if host == HOST:
            return found("127.0.0.1", port, *rest, **more)
        return found(host, number, *rest, **more)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket, "getaddrinfo", addresses)
    patch.setenv("REQUESTS_CA_BUNDLE", str(cert))
    for proxy in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        patch.delenv(proxy, raising=False)
    yield pyalex
    patch.undo()
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture
def record(site):
    with site[1].session() as session:
        yield session


def test_single_entities(client_of_openalex, numbers, record) -> None:
    p = client_of_openalex
    number, doi = record.execute(select(Work.id, Work.doi).where(Work.doi.is_not(None))).first()
    work = p.Works()[f"W{number}"]
    assert work["doi"] == f"https://doi.org/{doi}"
    assert p.Works()[f"https://doi.org/{doi}"] == work
    assert work["authorships"][0]["author_position"] == "first"
    assert set(work["open_access"]) == {"is_oa", "oa_status", "oa_url"}
    with_text = record.scalar(select(Work.id).where(Work.abstract.is_not(None)))
    text = record.scalar(select(Work.abstract).where(Work.id == with_text))
    assert p.Works()[f"W{with_text}"]["abstract"] == " ".join(text.split())
    person = p.Authors()[f"A{numbers['person:Kang Zhang']}"]
    assert person["display_name"] == "Kang Zhang" and person["works_count"] == 7
    for kind in (p.Works, p.Authors, p.Sources, p.Institutions, p.Topics):
        assert kind().random()["id"]


def test_several_at_once(client_of_openalex, record) -> None:
    p = client_of_openalex
    ids = [f"W{n}" for n in record.scalars(select(Work.id).limit(5))]
    found = p.Works()[ids]
    assert {one["id"].rpartition("/")[2] for one in found} == set(ids)


def test_lists_count_filter_sort_and_select(client_of_openalex, record) -> None:
    p = client_of_openalex
    there = Work.deleted_at.is_(None)
    count = select(func.count()).select_from(Work).where(there)
    assert p.Works().count() == record.scalar(count)
    assert p.Works().get().meta["per_page"] == 25
    in_2020 = count.where(Work.publication_year == 2020)
    assert p.Works().filter(publication_year=2020).count() == record.scalar(in_2020)
    both = p.Works().filter(publication_year=2020).filter(is_oa=True).get()
    assert len(both) == len(p.Works().filter(publication_year=2020, is_oa=True).get())
    after = count.where(Work.publication_year > 2020)
    assert p.Works().filter_gt(publication_year=2020).count() == record.scalar(after)
    not_2020 = count.where((Work.publication_year != 2020) | Work.publication_year.is_(None))
    found = p.Works().filter_not(publication_year=2020).count()
    assert found in (
        record.scalar(not_2020),
        record.scalar(count.where(Work.publication_year != 2020)),
    )
    cited = [w["cited_by_count"] for w in p.Works().sort(cited_by_count="desc").get()]
    assert cited == sorted(cited, reverse=True)
    chosen = p.Works().filter(publication_year=2020).select(["id", "doi"]).get()
    assert all(set(one) == {"id", "doi"} for one in chosen)
    dois = record.scalars(select(Work.doi).where(Work.doi.is_not(None)).limit(3)).all()
    assert len(p.Works().filter_or(doi=list(dois)).get()) == len(dois)


def test_nested_filters_and_logic(client_of_openalex) -> None:
    p = client_of_openalex
    at = p.Works().filter(authorships={"institutions": {"ror": "05apxxy63"}}).get()
    assert at and all(
        any(
            i["ror"] == "https://ror.org/05apxxy63"
            for a in one["authorships"]
            for i in a["institutions"]
        )
        for one in at
    )
    korea = p.Works().filter(institutions={"country_code": "kr"}).count()
    china = p.Works().filter(institutions={"country_code": "cn"}).count()
    either = p.Works().filter(institutions={"country_code": "kr|cn"}).count()
    both = p.Works().filter(institutions={"country_code": "kr"}).filter(
        institutions={"country_code": "cn"}
    ).count()  # fmt: skip
    assert korea + china == either + both
    assert p.Sources().filter(works_count=">10").get()
    assert all(
        (one["country_code"] or "") != "US"
        for one in p.Institutions().filter(country_code="!us").get()
    )


def test_search(client_of_openalex) -> None:
    p = client_of_openalex
    first = p.Works().search("momentum contrast").get()[0]
    assert "Momentum Contrast" in first["title"]
    assert p.Works().similar("negatives in contrastive learning").get(per_page=5)
    names = p.Authors().search_filter(display_name="kang zhang").get()
    assert "Kang Zhang" in [one["display_name"] for one in names]
    assert all(
        "contrast" in w["title"].lower() for w in p.Works().search_filter(title="contrast").get()
    )


def test_sample_and_groups(client_of_openalex, record) -> None:
    p = client_of_openalex
    drawn = [one["id"] for one in p.Works().sample(10, seed=535).get()]
    assert len(set(drawn)) == 10
    assert drawn == [one["id"] for one in p.Works().sample(10, seed=535).get()]
    assert drawn != [one["id"] for one in p.Works().sample(10, seed=536).get()]
    groups = p.Works().group_by("publication_year").get()
    years = record.scalars(select(Work.publication_year).where(Work.deleted_at.is_(None)))
    counted = Counter(year for year in years if year is not None)
    assert {int(one["key"]): one["count"] for one in groups} == counted


@pytest.mark.parametrize("method", ["cursor", "page"])
def test_paging_reaches_everything_once(client_of_openalex, record, method) -> None:
    p = client_of_openalex
    living = (Person.merged_into_id.is_(None), Person.works_count > 0)
    wanted = set(record.scalars(select(Person.id).where(*living)))
    query = p.Authors().sort(works_count="desc")
    ids = [one["id"] for one in chain(*query.paginate(method=method, per_page=200, n_max=None))]
    assert len(ids) == len(set(ids))
    assert {int(one.rpartition("A")[2]) for one in ids} == wanted


def test_autocomplete(client_of_openalex) -> None:
    p = client_of_openalex
    assert any(one["display_name"] == "KAIST" for one in p.Institutions().autocomplete("kai"))
    assert {one["entity_type"] for one in p.autocomplete("contrastive")} & {"work", "topic"}
    assert p.Works().filter(publication_year=2020).autocomplete("contrast")


def test_a_bad_query_is_the_clients_own_error(client_of_openalex) -> None:
    with pytest.raises(
        pyalex.api.QueryError, match=r"publication_yaer is not a valid field.*publication_year"
    ):
        client_of_openalex.Works().filter(publication_yaer=2020).get()


@pytest.mark.parametrize(
    "query",
    [
        "filter=type:article|publication_year:2020", "filter=is_oa:perhaps", "filter=cites:what",
        "filter=publication_year:last", "filter=from_publication_date:2020-13-01", "sort=beauty",
        "select=beauty", "group_by=beauty", "cursor=%00", "cursor=WzEsMiwzXQ", "cursor=bm8", "sample=0",
        "page=500&per-page=200", "filter=publication_year:99999999999999999999",
    ],
)  # fmt: skip
def test_bad_queries_get_sentences(client, query) -> None:
    answer = client.get(f"/api/v1/works?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == 400 and said["message"] == said["detail"] and len(said["detail"]) > 20


def test_too_much_is_refused_early(site, client) -> None:
    """Five thousand alternatives, a huge page, a deep one: a sentence, and no statement for it."""
    with count_statements(site[1].engine) as seen:
        many = "|".join(f"W{n}" for n in range(5000))
        assert client.get("/api/v1/works", params={"filter": f"cites:{many}"}).status_code in (
            400,
            422,
        )
        assert client.get("/api/v1/works?per-page=100000").status_code == 422
        assert client.get("/api/v1/works?page=99999999").status_code == 422
    assert seen.count == 0


@pytest.mark.parametrize("name", ["works", "authors", "sources", "institutions", "topics"])
def test_a_page_takes_few_statements_however_long_it_is(site, client, name) -> None:
    taken = []
    for size in (2, 200):
        with count_statements(site[1].engine) as seen:
            assert client.get(f"/api/v1/{name}?per-page={size}").status_code == 200
        taken.append(seen.count)
    assert max(taken) <= 13
    with count_statements(site[1].engine) as seen:
        client.get(f"/api/v1/{name}?per-page=200&select=id,display_name")
    assert seen.count <= 4


def test_pages_and_api_agree(client, numbers) -> None:
    work = numbers["work:Dual Temperature Helps Contras"]
    page = client.get(f"/works/W{work}").text
    said = client.get(f"/api/v1/works/W{work}").json()
    for authorship in said["authorships"]:
        number = authorship["author"]["id"].rpartition("/")[2]
        assert f'href="/people/{number}"' in page and authorship["raw_author_name"] in page
    twin = client.get(f"/api/works/W{work}").json()
    assert twin["title"] == said["title"]
    assert twin["publication_year"] == said["publication_year"]
    assert twin["cited_by_count"] == said["cited_by_count"]
    assert [t["label"] for t in twin["topics"]] == [t["display_name"] for t in said["topics"]]


def test_an_answer_that_the_client_has_is_not_sent_again(client) -> None:
    first = client.get("/api/v1/works?per-page=3")
    again = client.get("/api/v1/works?per-page=3", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get("/api/v1/works?per-page=4", headers={"if-none-match": first.headers["etag"]})
    assert other.status_code == 200
    assert first.headers["access-control-allow-origin"] == "*"
    assert 'rel="next"' in first.headers["link"]
