"""Asking a service for a record, within bounds: time, bytes, waits, and no host but the service's own.

Addresses come from the site's settings and identifiers are checked before they get here, so that nobody who
pastes something decides where a request goes. A redirect is followed within the host only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

from peerscope import __version__
from peerscope.settings import Settings

MOST_BYTES = 64 * 1024 * 1024
"""Of one answer; the largest record of a person has some 20 MB."""
CONNECT_SECONDS, READ_SECONDS, ANSWER_SECONDS = 10.0, 30.0, 120.0
"""Until there is a connection, until the next bytes come, and until an answer is whole."""
TRIES, REDIRECTS = 4, 3
FOLDER = "fetched"
"""Of the site's folder: one folder a service in it."""
TRY_AGAIN = frozenset({429, 500, 502, 503, 504})
INSTEAD = "save the record as a file and import that"


class FetchError(ValueError):
    """A service gave no record; says which and why, as a sentence."""


class NotThereError(FetchError):
    """The service answers, and does not know the identifier."""


class UnreachableError(FetchError):
    """There is no use in asking the same service again now: no connection, or it asks to be left alone."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where records are fetched from, and who asks.

    Attributes:
        crossref: Base address of each service; empty means that it is not asked.
        contact: E-mail address of the operator; services ask for one, and write to it before they shut out.
        site: Address of the site, told beside it.
        openalex_key: The operator's key.
        patience: Seconds that may be spent on waiting where a service asks for it, all waits together.
        turns: Folder in which all processes of a site see when one of them asked arXiv last; ``None`` means
            the folder that is fetched to.
    """

    crossref: str = "https://api.crossref.org"
    datacite: str = "https://api.datacite.org"
    arxiv: str = "https://export.arxiv.org"
    orcid: str = "https://pub.orcid.org"
    openalex: str = "https://api.openalex.org"
    contact: str = ""
    site: str = ""
    openalex_key: str = ""
    patience: float = 120.0
    turns: Path | None = None

    @classmethod
    def of(cls, settings: Settings, patience: float = 120.0) -> Access:
        """What the site's settings allow."""
        return cls(
            settings.crossref_api,
            settings.datacite_api,
            settings.arxiv_api,
            settings.orcid_api,
            settings.openalex_api,
            settings.contact,
            settings.base_url,
            settings.openalex_key.get_secret_value(),
            patience,
            settings.home / FOLDER,
        )

    @property
    def agent(self) -> str:
        """What the site calls itself."""
        said = [self.site] if self.site.isascii() and self.site.isprintable() else []
        said += [f"mailto:{self.contact}"] if self.contact else []
        about = "; ".join(part for part in said if part)
        return f"Peerscope/{__version__}" + (f" ({about})" if about else "")


class Client:
    """One connection at a time to the services of an `Access`; a context manager.

    Args:
        access: Where to ask.
        sleep: Waits; tests put something quicker here.
    """

    def __init__(self, access: Access, sleep: Callable[[float], None] = time.sleep) -> None:
        self.access = access
        self.sleep = sleep
        self._waited = 0.0
        self._http = httpx2.Client(
            timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx2.Limits(max_connections=1),
            # compressed answers could unfold to anything; records are small
            headers={"User-Agent": access.agent, "Accept-Encoding": "identity"},
        )

    def __enter__(self) -> Client:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._http.close()

    def get(
        self, base: str, path: str, params: dict[str, str], accept: str = "application/json"
    ) -> bytes:
        """The body of an answer.

        Args:
            base: Base address of the service, from the settings.
            path: Below it, quoted, with a slash in front.
            params: The query.
            accept: The media type that is asked for.

        Raises:
            NotThereError: The service does not know it.
            UnreachableError: There is no connection, or the service asks for a longer wait than there is
                patience.
            FetchError: The answer is none.
        """
        host = _host(base)
        address = base.rstrip("/") + path
        redirects = tries = 0
        while True:
            found = self._once(address, params, accept, host)
            if isinstance(found, bytes):
                return found
            status, told = found
            if status in TRY_AGAIN:
                tries += 1
                self._wait(host, status, told, tries)
                continue
            redirects += 1
            address, params = _same_host(base, address, told, host), {}
            if redirects > REDIRECTS:
                raise FetchError(f"{host} sends from one address to the next without end.")

    def _once(
        self, address: str, params: dict[str, str], accept: str, host: str
    ) -> bytes | tuple[int, str]:
        """A body, or the status with what its header says of where to go or how long to wait."""
        try:
            with self._http.stream(
                "GET", address, params=params or None, headers={"Accept": accept}
            ) as response:
                status = response.status_code
                if status in TRY_AGAIN:
                    return status, response.headers.get("retry-after", "")
                if 300 <= status < 400:
                    return status, response.headers.get("location", "")
                _demand(status, host)
                return _body(response, host)
        except httpx2.TimeoutException as error:
            raise UnreachableError(f"{host} does not answer in time; try again later.") from error
        except (httpx2.ConnectError, httpx2.ProxyError) as error:
            raise UnreachableError(f"There is no connection to {host}; {INSTEAD}.") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise FetchError(f"The answer of {host} broke off; try again later.") from error

    def _wait(self, host: str, status: int, told: str, tries: int) -> None:
        """Wait as the service asks, or ever longer where it does not say.

        Raises:
            UnreachableError: That is longer than there is patience, or it has been asked often enough.
        """
        seconds = _seconds(told)
        wait = float(2**tries) if seconds is None else seconds
        if tries >= TRIES or self._waited + wait > self.access.patience:
            busy = "asks for fewer requests" if status == 429 else f"is out of order ({status})"
            when = f"in {wait:,.0f} seconds" if seconds else "later"
            raise UnreachableError(f"{host} {busy}; try again {when}.")
        self._waited += wait
        self.sleep(wait)


def _demand(status: int, host: str) -> None:
    if status in (404, 410):
        raise NotThereError(f"{host} does not know it.")
    if status in (401, 403):
        raise FetchError(f"{host} does not let this site in ({status}).")
    if status != 200:
        raise FetchError(f"{host} answers with status {status}.")


def _body(response: Any, host: str) -> bytes:
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise FetchError(f"{host} sends a compressed answer that was not asked for.")
    size = response.headers.get("content-length", "")
    if size.isascii() and size.isdigit() and int(size[:15]) > MOST_BYTES:
        raise FetchError(_too_large(host))
    end = time.monotonic() + ANSWER_SECONDS
    body = bytearray()
    # pieces as they come: collected to a size, a slow answer would never be looked at
    for piece in response.iter_raw():
        body += piece
        if len(body) > MOST_BYTES:
            raise FetchError(_too_large(host))
        if time.monotonic() > end:
            raise UnreachableError(f"{host} does not answer in time; try again later.")
    return bytes(body)


def _too_large(host: str) -> str:
    return f"The answer of {host} is larger than {MOST_BYTES // 1024 // 1024} MB."


def _host(base: str) -> str:
    """The host of a base address, for sentences.

    Raises:
        FetchError: It is empty, or no address of the web.
    """
    if not base:
        raise FetchError("This site's settings switch this service off.")
    try:
        parts = urlsplit(base)
        host = parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        host = None
    if not host:
        raise FetchError(f"The settings name {base[:100]!r}, which is no address of a service.")
    return host


def _same_host(base: str, address: str, location: str, host: str) -> str:
    """Where a redirect leads, if it stays with the service.

    Raises:
        FetchError: It does not.
    """
    try:
        target = urljoin(address, location)
        there, here = urlsplit(target), urlsplit(base)
        port = there.port
        same = (there.scheme, there.hostname, port) == (here.scheme, here.hostname, here.port)
    except ValueError:
        same = False
    if not location or not same:
        raise FetchError(f"{host} sends on to another place, which is not asked.")
    return target


def _seconds(told: str) -> float | None:
    """How long to wait: a number, or a date; ``None`` where the header says neither."""
    told = told.strip()
    if told.isascii() and told.isdigit():
        return float(told[:9])
    try:
        moment = parsedate_to_datetime(told)
    except (ValueError, TypeError):
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
