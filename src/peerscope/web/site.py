"""What every route needs: the rooms below, the templates, and addresses of static files."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from peerscope import __version__
from peerscope.community import Community
from peerscope.discover import Discovery
from peerscope.discover.graph_shapes import KINDS as EDGE_KINDS
from peerscope.discover.maps import SiteMaps
from peerscope.discover.readers import Readers
from peerscope.discover.results import TYPE_LABELS
from peerscope.record import Database
from peerscope.record.citing import Styles
from peerscope.record.markup import to_html
from peerscope.record.read import Known
from peerscope.reproduce.overview import Overview
from peerscope.settings import Settings
from peerscope.web.graph import drawn, outline
from peerscope.web.plots import told

PLACES = {"W": "works", "A": "people", "T": "topics", "I": "institutions", "S": "venues"}
"""Entity letter to the first part of its address."""

KINDS = {"W": "Work", "A": "Person", "T": "Topic", "I": "Institution", "S": "Venue"}
STATIC = Path(__file__).parent / "static"
PARTS_KEPT = 512

OUTSIDE = {
    "doi": ("DOI", "https://doi.org/{}"),
    "arxiv": ("arXiv", "https://arxiv.org/abs/{}"),
    "openalex": ("OpenAlex", "https://openalex.org/{}"),
    "pmid": ("PubMed", "https://pubmed.ncbi.nlm.nih.gov/{}/"),
    "acl": ("ACL Anthology", "https://aclanthology.org/{}/"),
    "orcid": ("ORCID", "https://orcid.org/{}"),
    "ror": ("ROR", "https://ror.org/{}"),
}
"""Identifier scheme to its name and the address that it leads to."""


def static_address(name: str) -> str:
    """Address of a static file that changes with its content, so that it may be cached for good."""
    digest = sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def _static_files() -> list[str]:
    """Names of the static files, as paths below their folder."""
    return [path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file()]


def marked(text: str | None, markup: str | None = None) -> Markup:
    """Text with its maths and emphasis as safe HTML."""
    return Markup(to_html(markup or text or ""))  # noqa: S704 - whitelisted by record.markup


def count(number: int, one: str, many: str) -> str:
    """A count with its noun."""
    return f"{number:,} {one if number == 1 else many}"


def _environment(settings: Settings) -> Environment:
    environment = Environment(
        loader=PackageLoader("peerscope.web"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "site_name": settings.site_name,
        "version": __version__,
        "static": {name: static_address(name) for name in _static_files()},
        "places": PLACES,
        "kinds": KINDS,
        "edge_kinds": EDGE_KINDS,
        "outside": OUTSIDE,
        "type_labels": TYPE_LABELS,
        "Known": Known,
        "marked": marked,
        "count": count,
        "drawn": drawn,
        "outline": outline,
        "told": told,
    }
    environment.filters["escape_once"] = escape
    return environment


@dataclass
class Site:
    """The rooms below and the templates of one application.

    ``address`` is the site's own, without a slash at the end: what mails and other sites are told. It is
    never the ``Host`` of a request, which whoever asks may choose.
    """

    settings: Settings
    database: Database
    discovery: Discovery
    readers: Readers
    overview: Overview
    community: Community
    address: str = ""
    templates: Environment = field(init=False)
    styles: Styles = field(init=False)
    maps: SiteMaps = field(init=False)
    _made: OrderedDict[tuple[object, ...], Any] = field(default_factory=OrderedDict, init=False)

    def __post_init__(self) -> None:
        listens = f"http://{self.settings.host}:{self.settings.port}"
        self.address = (self.settings.base_url or self.address or listens).rstrip("/")
        self.styles = Styles(self.settings.styles)
        self.templates = _environment(self.settings)
        self.maps = SiteMaps(self.settings)
        self.templates.globals["is_hidden"] = self.is_hidden
        self.templates.globals["mapped"] = lambda: self.maps.available

    def is_hidden(self, person_id: int | None) -> bool:
        """Whether a person's page is hidden, so that nothing should lead there."""
        return person_id in self.community.kept.now().hidden

    def once(self, key: tuple[object, ...], make: Callable[[], Any]) -> Any:
        """A part of a page kept under a key that names everything it depends on."""
        if key not in self._made:
            self._made[key] = make()
            while len(self._made) > PARTS_KEPT:
                self._made.popitem(last=False)
        return self._made[key]

    def page(
        self, request: Request, template: str, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """A rendered template."""
        base = base_of(request)
        found = self.templates.get_template(template)
        content = found.render(
            path=request.url.path, base=base, request=request,
            me=getattr(request.state, "visitor", None), **values,
        )  # fmt: skip
        return HTMLResponse(content, status)


def base_of(request: Request) -> str:
    """The site's address, without a slash at its end, as absolute links of an answer name it.

    Without a stated one it is that of the request; what is mailed takes `Site.address` instead.
    """
    stated = site_of(request).settings.base_url.rstrip("/")
    return stated or str(request.base_url).rstrip("/")


def site_of(request: Request) -> Site:
    """The site that a request is for."""
    site: Site = request.app.state.site
    return site
