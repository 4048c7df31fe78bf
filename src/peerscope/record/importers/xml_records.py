"""Records of an XML file, one after another; entities stay unresolved and nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lxml import etree

from peerscope.record.files import GET_AGAIN, BlockStream, BrokenFileError
from peerscope.record.importers.bibliography import Located, Refused
from peerscope.record.markup import clean


def records(path: str, tags: Sequence[str]) -> Iterator[etree._Element | Located]:
    """The elements with one of ``tags``, each whole while it is looked at and gone afterwards.

    Args:
        path: The file, plain or compressed.
        tags: Names with their namespaces (``{http://...}record``). They must not lie within each other.

    Yields:
        Elements in the order of the file; where it breaks off, a last refusal.
    """
    line = 0
    try:
        for _, element in _events(path, events=("end",), tag=tuple(tags)):
            line = element.sourceline or line
            yield element
            _forget(element)
    except (etree.XMLSyntaxError, BrokenFileError) as error:
        yield _broken(path, error, line)


def children(path: str) -> Iterator[etree._Element | Located]:
    """The children of the root, as `records`."""
    line = depth = 0
    try:
        for event, element in _events(path, events=("start", "end")):
            depth += 1 if event == "start" else -1
            if event == "end" and depth == 1:
                line = element.sourceline or line
                yield element
                _forget(element)
    except (etree.XMLSyntaxError, BrokenFileError) as error:
        yield _broken(path, error, line)


def excerpt(element: etree._Element) -> str:
    """The beginning of an element's source."""
    return str(etree.tostring(element, encoding="unicode", with_tail=False))[:2000]


def text_at(element: etree._Element, path: str) -> str:
    """The text of the first element at ``path`` with all that is in it, clean; empty where there is none."""
    found = element.find(path)
    return clean("".join(found.itertext())) if found is not None else ""


def _events(path: str, **options: Any) -> Any:
    return etree.iterparse(
        BlockStream(path),
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
        **options,
    )


def _forget(element: etree._Element) -> None:
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _broken(path: str, error: Exception, line: int) -> Located:
    reason = f"The XML of {Path(path).name} breaks off: {clean(str(error))[:300]}."
    return Located(getattr(error, "lineno", None) or line, "", Refused(reason, GET_AGAIN))
