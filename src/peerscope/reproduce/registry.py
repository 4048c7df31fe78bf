"""All claims that installed packages offer, found through the entry point group ``peerscope.claims``.

An entry point names a `Paper` or a sequence of them. One that cannot be loaded is told about and the others
stay.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from peerscope.reproduce.claims import Claim, Paper

GROUP = "peerscope.claims"
OWN = "peerscope.reproduce.papers:PAPERS"


@dataclass(frozen=True)
class Registry:
    """The papers that can be run.

    Attributes:
        papers: By slug.
        origins: Slug to the ``module:name`` that offers it, for a process that loads it anew.
        problems: What could not be loaded, as sentences.
    """

    papers: dict[str, Paper] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def claims(self) -> list[tuple[Paper, Claim]]:
        """All claims, paper by paper."""
        return [(paper, claim) for paper in self.papers.values() for claim in paper.claims]

    def identifiers(self) -> list[str]:
        """The identifiers of all papers."""
        return [one for paper in self.papers.values() for one in paper.identifiers]

    def claim(self, id: str) -> tuple[Paper, Claim] | None:
        """A claim and its paper by the claim's id."""
        return next((found for found in self.claims() if found[1].id == id), None)

    def find(self, wanted: str) -> Paper | None:
        """A paper by its slug or by an identifier of its work, with or without the scheme."""
        low = wanted.strip().lower()
        for paper in self.papers.values():
            known = {one.lower() for one in paper.identifiers}
            bare = {one.partition(":")[2] for one in known}
            if low == paper.slug or low in known or low in bare:
                return paper
        return None


def papers_at(origin: str) -> tuple[Paper, ...]:
    """The papers that ``module:name`` stands for.

    Raises:
        ImportError: The module cannot be imported.
        AttributeError: It has no such name.
        TypeError: That is no paper.
    """
    module, _, name = origin.partition(":")
    found = getattr(import_module(module), name)
    papers = (found,) if isinstance(found, Paper) else tuple(found)
    for paper in papers:
        if not isinstance(paper, Paper):
            raise TypeError(f"{origin} holds {type(paper).__name__}, not a Paper")
    return papers


def load_registry(points: Iterable[EntryPoint] | None = None) -> Registry:
    """Read what this package and all installed ones offer.

    Args:
        points: Entry points to read; those installed if ``None``.
    """
    given = entry_points(group=GROUP) if points is None else points
    registry = Registry()
    problems: list[str] = []
    taken: dict[str, str] = {}
    for name, origin in [("peerscope", OWN), *((point.name, point.value) for point in given)]:
        try:
            papers = papers_at(origin)
        except (Exception, SystemExit) as error:  # another package's code: the rest must load
            problems.append(f"The claims of {name} ({origin}) cannot be loaded: {error!r}.")
            continue
        for paper in papers:
            double = {claim.id for claim in paper.claims} & taken.keys()
            if paper.slug in registry.papers or double:
                problems.append(
                    f"{origin} offers {paper.slug} again, or claims that another paper has; it is left out."
                )
                continue
            registry.papers[paper.slug] = paper
            registry.origins[paper.slug] = origin
            taken |= dict.fromkeys((claim.id for claim in paper.claims), paper.slug)
    return Registry(registry.papers, registry.origins, tuple(problems))
