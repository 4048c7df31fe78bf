"""Pages of the trust snapshot: the sums of the terminal, its JSON, history, replies, reports."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import contextmanager

import pytest
from lxml import html
from sqlalchemy import select
from typer.testing import CliRunner

from peerscope.cli import app
from peerscope.community.models import Account, Report
from peerscope.community.trust import FORMULA, rule_text
from peerscope.community.trust.models import TrustRecord
from peerscope.record import count_statements


def plain(response) -> str:
    return " ".join(html.fromstring(response.text).text_content().split())


@pytest.fixture
def kang(numbers) -> str:
    return f"/people/A{numbers['person:Kang Zhang']}"


@contextmanager
def owned(society, client, number: int):
    """A record that an account owns for a while."""
    with society.community.writing() as session:
        session.get(Account, client.account_id).person_id = number
    yield
    with society.community.writing() as session:
        session.get(Account, client.account_id).person_id = None


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("name", ["Kang Zhang", "Quentin Xavier Prolific", "Ada0 Author0"])
def test_page_and_terminal_print_the_same_term_by_term(client, site, numbers, name) -> None:
    number = numbers[f"person:{name}"]
    printed = run("trust", f"A{number}", "--explain", "--home", str(site[0].home))
    page = html.fromstring(client.get(f"/people/A{number}/trust").text)
    shown = " ".join(page.text_content().split())
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    assert len(lines) > 30
    assert [line for line in lines if re.match(r"Sum: \(", line)]
    cells = {
        (
            " ".join(tr[0].text_content().split()).removeprefix("Look at this: "),
            tr[1].text_content().strip(),
        )
        for tr in page.xpath("//table[@class='terms']//tr[td]")
    }
    for line in lines[2:]:
        term = re.fullmatch(r"(?:! |/ )?(.*): (\d+ × \d+ = \d+)", line)
        heading = re.fullmatch(
            r"(.+): (evidence|not checked|not applicable|looked for, none found)(.*)", line
        )
        if term:
            assert (term[1], term[2]) in cells, line
        elif heading:
            assert f"{heading[1]} {heading[2]}{heading[3]}" in shown, line
        else:
            assert line.removeprefix("Sum: ").removeprefix("Source: ") in shown, line
    sums = [" ".join(p.text_content().split()) for p in page.xpath("//p[contains(@class, 'sum')]")]
    assert sums == [line.removeprefix("Sum: ") for line in lines if line.startswith("Sum: ")]


def test_the_json_is_that_of_the_terminal_and_recomputes(client, site, kang, tmp_path) -> None:
    told = client.get(f"{kang}/trust.json").json()
    printed = json.loads(run("trust", kang.split("/")[-1], "--json", "--home", str(site[0].home)))
    assert {**printed, "computed_at": ""} == {**told, "computed_at": ""}
    assert (told["formula"], told["composite"], told["coverage"]["of"]) == (FORMULA, None, 7)
    assert told["history"] == f"{kang}/trust/history"
    page = html.fromstring(client.get(f"{kang}/trust").text)
    script = client.get(page.xpath("//a[contains(@href, 'recompute_trust.py')]/@href")[0])
    assert script.status_code == 200
    (tmp_path / "recompute.py").write_text(script.text, encoding="utf-8")
    (tmp_path / "trust.json").write_text(json.dumps(told), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "recompute.py", "trust.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    found = dict(line.split() for line in done.stdout.splitlines())
    assert found == {d["id"]: d["value_exact"] or "-" for d in told["dimensions"]}, done.stderr


def test_the_page_of_the_person_shows_the_values_of_the_full_snapshot(client, numbers) -> None:
    for name in ("Kang Zhang", "Quentin Xavier Prolific"):
        address = f"/people/A{numbers[f'person:{name}']}"
        full = html.fromstring(client.get(f"{address}/trust").text)
        short = html.fromstring(client.get(address).text)
        section = short.xpath("//section[@aria-labelledby='trust']")[0]
        values = section.xpath(".//span[contains(@class, 'value')]/text()")
        assert values == full.xpath(
            "//section[contains(@class, 'dimension')]//h2//span[@class='num']/text()"
        )
        assert section.xpath(f".//a[@href='{address}/trust']")
        assert "not checked" in section.text_content()
        assert "Verification L0" in section.text_content()


def test_budgets(client, site, numbers) -> None:
    for name in ("Kang Zhang", "Quentin Xavier Prolific"):
        for page in ("trust", "trust/history"):
            address = f"/people/A{numbers[f'person:{name}']}/{page}"
            with count_statements(site[1].engine) as seen:
                response = client.get(address)
            assert seen.count <= 12, (address, seen.count)
            assert len(response.content) < 60_000
            assert response.status_code == 200


def test_history_gets_a_row_when_something_changes(society, numbers) -> None:
    number = numbers["person:Ada1 Author1"]
    client, address = society.member("Historic Example", level=2), f"/people/A{number}"
    assert client.get(f"{address}/trust").status_code == 200
    client.get(f"{address}/trust")
    client.get(f"{address}/trust.json")
    with society.community.reading() as session:
        kept = session.scalars(select(TrustRecord).where(TrustRecord.person_id == number)).all()
    assert len(kept) == 1
    with owned(society, client, number):
        assert "2 proofs in force" in plain(client.get(f"{address}/trust"))
    client.get(f"{address}/trust")
    page = html.fromstring(client.get(f"{address}/trust/history").text)
    rows = [tr.xpath("./td") for tr in page.xpath("//table[@class='past']/tbody/tr")]
    assert [row[2].text_content() for row in rows] == ["L0", "L2", "L0"]
    assert [row[4].text_content() for row in rows] == ["0/5", "3/8", "0/5"]


def test_a_page_that_cannot_keep_its_history_is_shown_all_the_same(
    society, kang, monkeypatch
) -> None:
    from sqlalchemy.exc import OperationalError

    def refuse(*_, **__):
        raise OperationalError("INSERT", {}, Exception("database is locked"))

    monkeypatch.setattr("peerscope.web.trust.keep", refuse)
    assert society.browser().get(f"{kang}/trust").status_code == 200
    monkeypatch.setattr("peerscope.web.trust.hear", refuse)
    page = society.browser().get(kang)
    assert page.status_code == 200
    assert "It cannot be computed at the moment." in plain(page)


def test_only_the_owner_replies(society, numbers) -> None:
    number = numbers["person:Kang Zhang"]
    client, other = society.member("Replying Example"), society.member("Other Example")
    place = f"/people/A{number}/trust"
    assert "Reply to a statement" not in plain(client.get(place))
    hostile = "<script>alert(1)</script>\nA second line"
    with owned(society, client, number):
        fields = {"dimension": "reproduction", "text": hostile}
        done = society.post(client, f"{place}/reply", place, **fields)
        assert done.headers["location"] == f"{place}#reproduction"
        page = society.browser().get(place)
        assert "<script>alert" not in page.text
        quoted = html.fromstring(page.text).xpath(
            "//section[@aria-labelledby='reproduction']//blockquote"
        )
        assert "<script>alert(1)</script>" in quoted[0].text_content()
        assert "Replying Example" in quoted[0].text_content()
        assert society.post(other, f"{place}/reply", **fields).status_code == 403
        wrong = society.post(client, f"{place}/reply", place, dimension="worth", text="x")
        assert wrong.status_code == 400
        long = society.post(client, f"{place}/reply", place, dimension="identity", text="x" * 2001)
        assert long.status_code == 400
    assert "Replying Example" not in plain(society.browser().get(place))


def test_anyone_signed_in_reports_an_error(society, kang) -> None:
    client, nobody = society.member("Reporting Example"), society.browser()
    place = f"{kang}/trust"
    assert "Sign in to report an error" in plain(nobody.get(place))
    refused = nobody.post(f"{place}/report", data={"text": "x"}, follow_redirects=False)
    assert refused.headers["location"].startswith("/sign-in")
    done = society.post(
        client, f"{place}/report", place, dimension="authorship", text="Two people."
    )
    assert "the moderators of this site will look at it" in plain(
        client.get(done.headers["location"])
    )
    society.post(client, f"{place}/report", place, dimension="nonsense", text="Something else.")
    with society.community.reading() as session:
        found = session.scalars(select(Report).where(Report.account_id == client.account_id)).all()
    number = kang.split("/")[-1]
    assert [(r.kind, r.target, r.text) for r in found] == [
        ("error", f"trust:{number}:authorship", "Two people."), ("error", f"trust:{number}", "Something else."),
    ]  # fmt: skip
    assert society.post(client, f"{place}/report", place, text="").status_code == 400
    assert society.post(client, "/people/A999999/trust/report", place, text="x").status_code == 404


@pytest.mark.parametrize("form", ["reply", "report"])
def test_forms_of_other_sites_and_sessions_are_refused(society, kang, form) -> None:
    client, other = society.member("Form Example"), society.member("Other Example")
    token = society.token(client)
    for sent in (
        client.post(
            f"{kang}/trust/{form}", data={"token": token}, headers={"sec-fetch-site": "cross-site"}
        ),
        other.post(f"{kang}/trust/{form}", data={"token": token}),
        client.post(f"{kang}/trust/{form}", data={"token": ""}),
    ):
        assert sent.status_code == 403


def test_addresses_of_nobody_and_of_those_who_moved(client, site, kang) -> None:
    from sqlalchemy import update

    from peerscope.record.models import Person

    for page in ("trust", "trust.json", "trust/history"):
        for nobody in ("A999999", "W1", "A" + "9" * 15, "A1x", "A", "%00", "A１"):
            assert client.get(f"/people/{nobody}/{page}").status_code == 404, (nobody, page)
    number = int(kang.split("/A")[1])
    with site[1].begin() as session:
        moved = session.scalar(select(Person.id).where(Person.works_count == 1).limit(1))
        session.execute(update(Person).where(Person.id == moved).values(merged_into_id=number))
    try:
        for page in ("trust", "trust.json", "trust/history"):
            answer = client.get(f"/people/A{moved}/{page}", follow_redirects=False)
            assert (answer.status_code, answer.headers["location"]) == (302, f"{kang}/{page}")
        done = CliRunner().invoke(app, ["trust", f"A{moved}", "--home", str(site[0].home)])
        assert done.exit_code == 1
        assert f"A{moved} is A{number} now" in " ".join(done.output.split())
    finally:
        with site[1].begin() as session:
            session.execute(update(Person).where(Person.id == moved).values(merged_into_id=None))


def test_reviews_of_the_site_reach_the_snapshot(society, numbers) -> None:
    from peerscope.community.reviews import withdraw, write

    # A work and a person whom no other test of the shared site reviews.
    number = numbers["person:Ada7 Author7"]
    place, work = f"/people/A{number}/trust", numbers["work:A work of three thousand"]
    high, low = society.member("High Example", level=2), society.member("Low Example")
    words = {
        "summary": "It shows what it says, in a way to follow.",
        "confidence": "3",
        "relation": "none",
    }
    with society.community.writing() as session:
        ids = [(one.account_id, write(session, one.account_id, work, words)) for one in (high, low)]
    try:
        told = society.browser().get(f"{place}.json").json()
        review = next(d for d in told["dimensions"] if d["id"] == "review")
        assert (review["state"], review["value_exact"]) == ("evidence", "1/4")
        assert {one["url"] for one in review["evidence"]} == {f"/works/W{work}/reviews"}
        shown = plain(society.browser().get(place))
        assert "left out: the reviewer was below level L2" in shown
        short = html.fromstring(society.browser().get(f"/people/A{number}").text)
        assert (
            "1 account has reviewed works"
            in short.xpath("//section[@aria-labelledby='trust']")[0].text_content()
        )
    finally:
        with society.community.writing() as session:
            for account, review_id in ids:
                withdraw(session, account, review_id)


def test_a_hidden_person_has_no_snapshot_to_see(society, numbers) -> None:
    from peerscope.community.person_settings import set_person, show_again

    number = numbers["person:Ada2 Author2"]
    client, moderator = (
        society.member("Reading Example"),
        society.member("Mod Example", role="moderator"),
    )
    with society.community.writing() as session:
        set_person(session, number, moderator.account_id, hidden=True)
    society.community.kept.forget()
    try:
        for page in ("trust", "trust.json", "trust/history"):
            assert client.get(f"/people/A{number}/{page}").status_code == 410
            assert moderator.get(f"/people/A{number}/{page}").status_code == 200
        for form in ("reply", "report"):
            assert (
                society.post(client, f"/people/A{number}/trust/{form}", text="x").status_code == 410
            )
    finally:
        with society.community.writing() as session:
            show_again(session, moderator.account_id, number)
        society.community.kept.forget()


def test_search_engines_are_asked_to_leave_snapshots_out(client, kang) -> None:
    for page in ("trust", "trust.json", "trust/history"):
        assert client.get(f"{kang}/{page}").headers["x-robots-tag"] == "noindex"


def test_the_formula_has_a_page(client) -> None:
    answer = client.get("/trust/formula")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text == rule_text()


def test_nothing_is_ordered_by_a_snapshot() -> None:
    """Neither lists nor search nor suggestions read the room of trust; a dump has people by number."""
    from pathlib import Path

    import peerscope

    root = Path(peerscope.__file__).parent
    readers = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if re.search(r"^(from|import) .*community\.trust", path.read_text(), re.MULTILINE)
        and "community/trust" not in str(path)
    }
    assert {one for one in readers if one.startswith(("web/", "cli/"))} == {
        "web/trust.py", "web/pages.py", "cli/trust.py", "cli/dumping.py",
    }  # fmt: skip
    assert not [one for one in readers if one.startswith(("discover/", "retrieval/", "record/"))]
    uses = re.findall(
        r"\n(?:def|async def) (\w+)|\b(compact)\(", (root / "web/pages.py").read_text()
    )
    within = [name for name, use in uses if name or use]
    assert [within[n - 1] for n, (_, use) in enumerate(uses) if use] == ["_person"]
