"""The commands, from files to answers; on a catalogue made here and on one of real products."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner
from written import write_rows

from peerscope.cli import app
from peerscope.cli.retrieval import app as group

DOCS = Path(__file__).resolve().parents[3] / "docs"
SHARED = os.environ.get("PEERSCOPE_SHARED")
SMALL = ("--set", "threads=1", "--set", "epochs=2", "--set", "width=32", "--set", "batch=64")


def run(*arguments: str, encoder: str = "none"):
    """A command; without the sentence encoder, which is slow, unless the test asks for it."""
    return CliRunner(env={"PEERSCOPE_ENCODER": encoder}).invoke(app, ["retrieval", *arguments])


def test_from_three_files_to_an_answer(shop_files, tmp_path) -> None:
    home = str(tmp_path / "home")
    trained = run("train", *map(str, shop_files), "--home", home, *SMALL, "--json")
    assert trained.exit_code == 0, trained.output
    report = json.loads(trained.stdout)
    assert report["files"]["items.parquet"] == {"rows": 240, "set_aside": 0}
    assert report["held_out"]["by"] == "time"
    indexed = json.loads(run("index", "--home", home, "--json").stdout)
    assert indexed["published"]
    assert {gate["name"] for gate in indexed["gates"]} >= {"quality", "collapse", "latency", "size"}
    measured = json.loads(run("evaluate", "--home", home, "--queries", "20", "--json").stdout)
    assert measured["measured"]["all"] == 20
    assert "top10 of 240" in run("evaluate", "--home", home, "--queries", "5").stdout
    asked = ("query", "red lamp", "--home", home, "--k", "3")
    found = json.loads(run(*asked, "--user", "0", "--json").stdout)
    assert len(found["results"]) == 3
    assert found["personal"]
    assert re.search(r"1\. .* lamp .*\(?sku-", run(*asked).stdout)
    assert "Nothing is known of the user" in run(*asked, "--user", "none").output
    assert "Nothing found" in run("query", "zzzz", "--home", home, "--name", "main").output


def test_models_with_and_without_a_sentence_encoder_side_by_side(shop_files, tmp_path) -> None:
    from peerscope.retrieval import installed_encoder

    if installed_encoder("auto") is None:
        pytest.skip("no sentence encoder is installed")
    home = str(tmp_path / "home")
    rows = [{"id": n, "title": f"{('sofa', 'oven')[n % 2]} number {n}"} for n in range(30)]
    items = write_rows(tmp_path / "items.jsonl", rows)
    for name, encoder in (("plain", "none"), ("encoded", "auto")):
        done = run(
            "train", str(items), "--home", home, "--name", name, "--encoder", encoder, *SMALL
        )
        assert done.exit_code == 0, done.output
        assert run("index", "--home", home, "--name", name).exit_code == 0
    asked = ("query", "a couch to sit on", "--home", home, "--k", "5", "--json")
    found = json.loads(run(*asked, "--name", "encoded").stdout)["results"]
    assert ["sofa" in one["title"] for one in found] == [True] * 5
    assert json.loads(run(*asked, "--name", "plain").stdout)["results"] == []
    assert list((tmp_path / "home" / "encodings").iterdir())


def test_exit_codes_mean_something(shop_files, home, tmp_path) -> None:
    folder, none = str(home.folder), str(tmp_path / "none")
    assert run("train", "--home", none).exit_code == 1
    assert run("train", str(tmp_path / "none.parquet"), "--home", none).exit_code == 1
    assert run("index", "--home", none).exit_code == 1
    assert run("query", "a", "--home", none).exit_code == 1
    assert run("query", "a", "--name", "odd", "--home", folder).exit_code == 1
    assert run("evaluate", "--home", none).exit_code == 1
    assert run("rollback", "--home", folder).exit_code == 1
    assert run("train", str(shop_files[0]), "--home", none, "--hold-out-by", "odd").exit_code == 2
    assert run("nonsense").exit_code == 2
    bad = write_rows(tmp_path / "bad.jsonl", [{"id": 1, "title": ""}])
    refused = run("train", str(bad), "--home", none)
    assert refused.exit_code == 3
    assert "Give every item a title" in refused.output.replace("\n", " ")
    same = write_rows(tmp_path / "same.jsonl", [{"id": n, "title": "word"} for n in range(20)])
    assert run("train", str(same), "--home", none).exit_code == 0
    refused = run("index", "--home", none)
    assert refused.exit_code == 4
    assert "collapse" in refused.output


def test_rollback_goes_back_by_one(home) -> None:
    first = home.model().store.current()
    assert run("index", "--home", str(home.folder)).exit_code == 0
    done = run("rollback", "--home", str(home.folder), "--json")
    assert json.loads(done.stdout) == {"model": "main", "bundle": first}


def test_serve_says_where_it_is_and_answers_until_it_is_interrupted(home) -> None:
    command = [
        sys.executable, "-c", "from peerscope.cli import main; main()", "retrieval", "serve",
        "--home", str(home.folder), "--port", "0",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        address = re.search(r"http://\S+/", line)[0]
        with urllib.request.urlopen(f"{address}v1/search?q=lamp&k=2", timeout=20) as answer:
            assert len(json.load(answer)["hits"]) == 2
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (0, 130)
    finally:
        process.kill()
        process.communicate()


def test_every_command_and_option_is_documented() -> None:
    text = (DOCS / "cli.md").read_text()
    names = sorted(command.name for command in group.registered_commands)
    assert names == ["evaluate", "index", "query", "rollback", "serve", "train"]
    for name in names:
        line = next(one for one in text.splitlines() if f"`peerscope retrieval {name}" in one)
        for option in re.findall(r"--[a-z-]+", run(name, "--help").stdout):
            assert option == "--help" or option in line, (name, option)


def test_every_column_is_documented() -> None:
    from peerscope.retrieval.files import columns

    text = (DOCS / "retrieval-files.md").read_text()
    for part in (columns.ITEMS, columns.USERS, columns.INTERACTIONS):
        for name in part:
            assert f"| `{name}` |" in text, name


def esci(rows: int) -> tuple[list[dict], list[dict]]:
    folder = Path(SHARED or "/nowhere") / "data" / "ecommerce" / "esci150"
    if not folder.is_dir():
        pytest.skip("the shared product data (PEERSCOPE_SHARED) are not here")
    with (folder / "corpus.jsonl").open() as stream:
        items = [json.loads(next(stream)) for _ in range(rows)]
    for item in items:
        item["id"] = item.pop("_id")
    texts = {}
    for line in (folder / "queries.jsonl").read_text().splitlines():
        stated = json.loads(line)
        texts[stated["_id"]] = stated["text"]
    events = []
    for line in (folder / "qrels.tsv").read_text().splitlines()[1:]:
        query, item, grade, _ = line.split("\t")
        if grade == "3":
            events.append({"query": texts[query], "item_id": item})
    return items, events


@pytest.mark.shared
def test_real_products_from_files_to_answers(tmp_path) -> None:
    items, events = esci(600)
    home = str(tmp_path / "home")
    files = [
        str(write_rows(tmp_path / f"{name}.parquet", rows))
        for name, rows in (("items", items), ("events", events))
    ]
    trained = run("train", *files, "--home", home, *SMALL, "--hold-out", "0.3", "--json")
    assert trained.exit_code == 0, trained.output
    report = json.loads(trained.stdout)
    here = {item["id"] for item in items}
    inside = [event for event in events if event["item_id"] in here]
    assert report["files"]["items.parquet"] == {"rows": 600, "set_aside": 0}
    assert report["files"]["events.parquet"] == {
        "rows": len(inside), "set_aside": len(events) - len(inside),
    }  # fmt: skip
    reasons = {(one["column"], one["reason"]) for one in report["problems"]}
    assert ("item_id", "an item that is not in the items file") in reasons
    assert ("rating", "a fraction or infinity in a categorical field") in reasons
    assert json.loads(run("index", "--home", home, "--json").stdout)["published"]
    measured = json.loads(run("evaluate", "--home", home, "--json").stdout)
    assert measured["measured"]["all"] >= 5
    assert measured["systems"]["fused"]["recall@100"] > 0.5
    title = items[0]["title"]
    found = json.loads(run("query", title, "--home", home, "--json").stdout)["results"]
    assert found[0]["id"] == items[0]["id"]
