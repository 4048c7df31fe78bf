"""The services on loopback: they answer as documented, or misbehave as they are told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import source_samples as samples

from peerscope.record.fetching import Access

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        services: Services = self.server.services  # type: ignore[attr-defined]
        services.requests.append((self.path, dict(self.headers.items())))
        if services.odd:
            services.odd.pop(0)(self)
            return
        services.answer(self)

    def say(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Who hangs up on an odd answer is in the right."""


class Services:
    """All five on one port, each below a path of its own.

    Attributes:
        odd: Answers that are given first, one a request.
        works: Messages of Crossref by DOI.
        requests: Path and headers of every request.
    """

    def __init__(self) -> None:
        self.odd: list[Answer] = []
        self.works = {"10.5555/abc.1": samples.CROSSREF}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.services = self  # type: ignore[attr-defined]
        self.base = f"http://127.0.0.1:{self.server.server_port}"

    def access(self, **changes: object) -> Access:
        given = {
            name: f"{self.base}/{name}"
            for name in ("crossref", "datacite", "arxiv", "orcid", "openalex")
        }
        return Access(
            **(given | {"contact": "ada@example.org", "openalex_key": "secret"} | changes)
        )  # type: ignore[arg-type]

    def paths(self) -> list[str]:
        return [unquote(path) for path, _ in self.requests]

    def answer(self, handler: Handler) -> None:
        parts = urlsplit(handler.path)
        service, _, rest = parts.path.strip("/").partition("/")
        query = parse_qs(parts.query)
        if service == "crossref" and rest.startswith("works/"):
            work = self.works.get(unquote(rest.removeprefix("works/")))
            if work is not None:
                return handler.say(200, json.dumps(samples.answer(work)).encode())
        elif service == "datacite" and unquote(rest).endswith("10.5555/data"):
            csl = {"type": "dataset", "id": "https://doi.org/10.5555/data", "title": "Data of Examples",
                   "author": [{"family": "Example", "given": "Ada"}], "issued": {"date-parts": [[2020]]},
                   "DOI": "10.5555/DATA", "publisher": "Zenodo"}  # fmt: skip
            return handler.say(200, json.dumps(csl).encode())
        elif service == "arxiv":
            ids = query["id_list"][0].split(",")
            known = [
                samples.ENTRY.replace("2103.00001", one) for one in ids if not one.endswith("9")
            ]
            return handler.say(200, samples.atom(*known).encode(), "application/atom+xml")
        elif service == "orcid" and rest == f"v3.0/{samples.ADA_ORCID}/record":
            doi = samples.external("doi", "10.5555/ABC.1")
            listed = samples.record([samples.summary(1, "Few negatives", doi)])
            return handler.say(200, json.dumps(listed).encode())
        elif (
            service == "openalex"
            and query.get("api_key") == ["secret"]
            and rest == "works/W2741809807"
        ):
            work = {"id": "https://openalex.org/W2741809807", "display_name": "Open", "authorships": [],
                    "publication_year": 2018}  # fmt: skip
            return handler.say(200, json.dumps(work).encode())
        elif service == "openalex" and query.get("api_key") != ["secret"]:
            return handler.say(401, b"{}")
        return handler.say(404, b"Resource not found.", "text/plain")


@contextmanager
def running() -> Iterator[Services]:
    services = Services()
    thread = threading.Thread(
        target=services.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield services
    finally:
        services.server.shutdown()
        services.server.server_close()
        thread.join()
