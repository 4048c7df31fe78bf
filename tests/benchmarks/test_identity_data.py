"""What the identity benchmark stands on: no id leaks, the halves, the baseline's features and its regression."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import orjson
import pytest
import zstandard
from scipy import optimize

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import identity_baseline as baseline
import identity_data as data
import identity_namesakes as made
import identity_tables as tables

WORKS = [
    {"id": "2020.acl-main.1", "title": "Parsing with trees", "year": 2020, "venue": ["acl"],
     "authors": [{"id": "secret-one", "name": "Ada Example", "affiliation": "KAIST"},
                 {"id": "secret-two", "name": "Bo Other", "orcid": "0000-0001-0000-0009"}]},
    {"id": "2021.acl-main.2", "title": "Parsing with graphs", "year": 2021, "venue": ["acl"],
     "references": ["2020.acl-main.1"], "leak": "secret-three",
     "authors": [{"id": "secret-three", "name": "A. Example", "affiliation": "kaist"},
                 {"id": "secret-two", "name": "Bo Other"}]},
    {"id": "2022.lrec-1.3", "title": "A lexicon of birds", "year": 2022, "venue": ["lrec"],
     "authors": [{"id": "secret-four", "name": "Anna Example", "affiliation": "JD.com"}]},
]  # fmt: skip


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, data.Gold]:
    folder = tmp_path_factory.mktemp("stripped")
    packed = zstandard.compress(b"\n".join(map(orjson.dumps, WORKS)) + b"\n")
    (folder / "works.zst").write_bytes(packed)
    gold = data.strip(folder / "works.zst", folder / "works.jsonl", lambda: None)
    data.make_record(folder / "works.jsonl", folder / "record.sqlite")
    return folder / "record.sqlite", gold


def test_no_id_reaches_the_record(record: tuple[Path, data.Gold], tmp_path: Path) -> None:
    path, gold = record
    assert sorted(gold.values()) == [
        "secret-four",
        "secret-one",
        "secret-three",
        *["secret-two"] * 2,
    ]
    data.checked(path)
    for file in path.parent.iterdir():
        if file.name != "works.zst":
            assert b"secret" not in file.read_bytes(), file
            assert b"0000-0001-0000-0009" not in file.read_bytes(), file
    names = data.read_names(path, gold)
    assert names.gold_id[names.raw.index("Anna Example")] == "secret-four"
    # Were they left in, it would be seen.
    (tmp_path / "leaky.jsonl").write_bytes(b"\n".join(map(orjson.dumps, WORKS)) + b"\n")
    data.make_record(tmp_path / "leaky.jsonl", tmp_path / "leaky.sqlite")
    with pytest.raises(ValueError, match="person's id"):
        data.checked(tmp_path / "leaky.sqlite")
    with pytest.raises(ValueError, match="exactly the authors"):
        data.read_names(path, gold | {("another", 0): "x"})


def test_halves_are_halves_and_parts_are_what_they_say(record: tuple[Path, data.Gold]) -> None:
    held = [data.held_out(f"family{n}|a") for n in range(2_000)]
    assert 0.45 < np.mean(held) < 0.55
    assert data.slug("Conan O’Brien") == "conan-obrien"
    assert data.slug("Jörg Tiedemann") == "jorg-tiedemann"
    one = np.arange(5)
    names = data.Names(
        one, one, ["Yang Liu", "Yang Liu", "Liu, Yang", "Ada Example", "A. Example"],
        ["liu, yang", "liu, yang", "liu, yang", "example, ada", "example, a"],
        ["liu|y"] * 3 + ["example|a"] * 2,
        ["yang-liu", "yang-liu-lab", "yang-liu", "ada-example", "ada-example"],
    )  # fmt: skip
    assert names.told_apart.tolist() == [True, True, False, False, False]
    assert names.shared_name.tolist() == [True, True, True, False, False]
    assert names.put_together.tolist() == [False, False, False, True, True]
    assert names.default_id.tolist() == [True, False, False, True, False]
    assert names.block_sizes.tolist() == [3, 3, 3, 2, 2]


def test_features_of_pairs(record: tuple[Path, data.Gold]) -> None:
    papers = baseline.read_papers(record[0])
    places = papers.members["example|a"]
    names = [papers.keys[p] for p in places]
    assert names == ["example, ada", "example, a", "example, anna"]
    values, impossible = baseline.features(papers, places)
    rows = dict(zip(["ada-a", "ada-anna", "a-anna"], values, strict=True))

    def of(pair: str, name: str) -> float:
        return float(rows[pair][baseline.FEATURES.index(name)])

    assert impossible.astype(bool).tolist() == [False, True, False]
    assert of("ada-a", "given names compatible") == 1
    assert of("ada-anna", "given names compatible") == 0
    assert of("ada-a", "initial only") == 1
    assert of("ada-a", "shared coauthors, log") == pytest.approx(np.log(2))
    assert of("a-anna", "shared coauthors, log") == 0
    assert of("ada-a", "one cites the other") == 1
    assert of("ada-a", "same venue") == 1
    assert of("a-anna", "same venue") == 0
    assert of("ada-a", "same affiliation") == 1
    assert of("ada-anna", "other affiliation") == 1
    assert of("ada-anna", "years apart, log") == pytest.approx(np.log(3))
    idf = {word: np.log(1 + 3 / n) for word, n in papers.works_of_word.items()}
    shared = idf["parsing"] ** 2 + idf["with"] ** 2
    assert of("ada-a", "title words, cosine") == pytest.approx(
        shared / np.sqrt((shared + idf["trees"] ** 2) * (shared + idf["graphs"] ** 2))
    )


def test_the_regression_is_at_its_optimum() -> None:
    draw = np.random.default_rng(0)
    values = np.column_stack([np.ones(400), draw.normal(size=(400, 2))])
    truth = draw.uniform(size=400) < 1 / (1 + np.exp(-(0.5 + 2 * values[:, 1])))
    weights = draw.uniform(0.5, 2, 400)
    found = baseline.logistic(values, truth, weights)
    scale = np.abs(values).max(axis=0)

    def loss(w: np.ndarray) -> float:
        margin = np.where(truth, 1, -1) * (values @ (w / scale))
        share = weights / weights.sum()
        return float(share @ np.logaddexp(0, -margin) + baseline.RIDGE * w @ w)

    slope = optimize.approx_fprime(found * scale, loss, 1e-6)
    assert np.abs(slope).max() < 1e-4
    assert found[1] == pytest.approx(2, abs=0.5)


def test_clusters_keep_apart_what_must_be(record: tuple[Path, data.Gold]) -> None:
    papers = baseline.read_papers(record[0])
    eager = np.zeros(len(baseline.FEATURES))
    eager[0] = 20.0
    found = baseline.Linker(eager, 0.5).cluster(papers, papers.members["example|a"])
    assert found[0] != found[2], "two written-out names that differ"
    assert len(set(found)) == 2


def test_made_namesakes_are_known_and_of_one_half(record: tuple[Path, data.Gold]) -> None:
    papers = baseline.read_papers(record[0])
    places = papers.members["example|a"] + papers.members["other|b"]
    group = made.Made(2, places[:2], np.asarray([4, 9]))
    block = made.block_of(papers, made.surroundings(papers), group)
    assert {bearer.name.key for bearer in block.bearers} == {"example, made"}
    assert block.around.frequency.get("example, made") == 2
    assert block.around.names.get(int(papers.work[places[0]])) == ["example, made", "other, bo"]
    assert made.truth([group, group]).tolist() == [0, 1, 2, 3], "groups are apart"
    # A shared coauthor joins them, which is wrong here and counted as such.
    assert made.strangers_linked(papers, made.surroundings(papers), [group]) == 1.0
    assert len(set(made.resolved(papers, made.surroundings(papers), [group]))) == 1


def test_figures_go_between_the_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = tmp_path / "report.md"
    report.write_text(f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n")
    monkeypatch.setattr(tables, "tables", lambda _: iter(["new"]))
    tables.write(None, report)  # type: ignore[arg-type]
    assert report.read_text() == f"before\n{tables.BEGIN}\n\nnew\n{tables.END}\nafter\n"
    (tmp_path / "bare.md").write_text("no marks")
    with pytest.raises(ValueError, match="no place for figures"):
        tables.write(None, tmp_path / "bare.md")  # type: ignore[arg-type]
