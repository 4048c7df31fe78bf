"""Claims of other packages: found, and kept apart from each other's faults."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from peerscope.reproduce.claims import Paper
from peerscope.reproduce.registry import GROUP, Registry, load_registry, papers_at

MODULE = """
from peerscope.reproduce import Check, Claim, Paper, Profile, Protocol

def made(slug, claim):
    protocol = Protocol(slug.replace("-", "_"), 1, "nowhere:run", "", {"a": ""}, {"cpu": Profile({})})
    return Paper(slug, "A title", ("arxiv:2401.00001", "doi:10.1/ABC"), "v1", (
        Claim(claim, "", "", "", protocol.name, (Check("", "a"),), {"cpu": ""}),
    ), (protocol,))

ONE = made("one", "one-1")
MANY = [made("two", "two-1"), made("three", "three-1")]
AGAIN = made("one", "other-1")
TAKEN = made("four", "one-1")
MIXED = [made("five", "five-1"), "no paper"]
NUMBER = 3
"""


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """Importable modules of another package, good and bad."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "mine_registry.py").write_text(MODULE)
    (folder / "mine_broken.py").write_text("1 / 0\n")
    (folder / "mine_leaving.py").write_text("import sys\nsys.exit('goodbye')\n")
    (folder / "mine_unwritten.py").write_text("def f(:\n")
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


def loaded(*values: str) -> Registry:
    return load_registry([EntryPoint(f"p{n}", value, GROUP) for n, value in enumerate(values)])


def own() -> set[str]:
    return set(load_registry([]).papers)


def test_own_papers_are_there_without_any_entry_point():
    registry = load_registry([])
    assert "dual-temperature" in registry.papers
    assert registry.problems == ()
    assert registry.origins["dual-temperature"] == "peerscope.reproduce.papers:PAPERS"


def test_one_paper_and_several(mine):
    registry = loaded("mine_registry:ONE", "mine_registry:MANY")
    assert set(registry.papers) == own() | {"one", "two", "three"}
    assert registry.origins["three"] == "mine_registry:MANY"
    assert registry.problems == ()


@pytest.mark.parametrize(
    "value",
    [
        "mine_broken:PAPER", "mine_leaving:PAPER", "mine_unwritten:PAPER", "no_such_module:PAPER",
        "mine_registry:NOTHING", "mine_registry:NUMBER", "mine_registry:MIXED", "mine_registry", ":",
    ],
)  # fmt: skip
def test_a_broken_entry_point_leaves_the_others(mine, value):
    registry = loaded(value, "mine_registry:ONE")
    assert set(registry.papers) == own() | {"one"}
    (problem,) = registry.problems
    assert "p0" in problem
    assert value in problem


def test_what_is_there_already_is_not_replaced(mine):
    registry = loaded("mine_registry:ONE", "mine_registry:AGAIN", "mine_registry:TAKEN")
    assert registry.claim("other-1") is None
    assert "four" not in registry.papers
    assert len(registry.problems) == 2
    found = registry.claim("one-1")
    assert found is not None
    assert found[0].slug == "one"


def test_another_package_cannot_take_this_ones_place(mine, tmp_path):
    first = next(iter(load_registry([]).papers.values()))
    (mine / "mine_posing.py").write_text(
        f"from mine_registry import made\nPAPER = made({first.slug!r}, 'posing-1')\n"
    )
    registry = loaded("mine_posing:PAPER")
    assert registry.papers[first.slug] is first
    assert len(registry.problems) == 1


@pytest.mark.parametrize(
    "wanted", ["one", "arxiv:2401.00001", "2401.00001", "doi:10.1/abc", "10.1/ABC", "  ONE "]
)
def test_a_work_is_found_by_slug_and_identifier(mine, wanted):
    found = loaded("mine_registry:ONE").find(wanted)
    assert isinstance(found, Paper)
    assert found.slug == "one"


def test_what_nobody_has_is_not_found(mine):
    registry = loaded("mine_registry:ONE")
    for wanted in ("", "2401", "arxiv:", "two"):
        assert registry.find(wanted) is None
    assert registry.claim("no-1") is None


def test_claims_come_paper_by_paper(mine):
    registry = loaded("mine_registry:MANY")
    ids = [claim.id for _, claim in registry.claims()]
    assert ids[-2:] == ["two-1", "three-1"]
    assert len(ids) == len(set(ids))


def test_papers_at_an_origin(mine):
    assert [paper.slug for paper in papers_at("mine_registry:MANY")] == ["two", "three"]
    with pytest.raises(TypeError, match="str, not a Paper"):
        papers_at("mine_registry:MIXED")


def test_describing_every_claim_needs_no_torch():
    script = (
        "import sys\nfrom peerscope.reproduce import load_registry\n"
        "assert load_registry().claims()\nassert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
