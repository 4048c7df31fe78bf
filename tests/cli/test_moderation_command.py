"""The operator's commands: reports, the audit log, mails of what is new."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from peerscope.cli import app
from peerscope.community import Community, moderation
from peerscope.community.accounts import create_account
from peerscope.record import Database
from peerscope.settings import Settings


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def site(tmp_path):
    settings = Settings(home=tmp_path / "site")
    settings.home.mkdir()
    database = Database(settings.record_url)
    database.migrate()
    database.close()
    community = Community(settings)
    with community.writing() as session:
        ada = create_account(session, "Ada Example", email="ada@example.org")
        bo = create_account(session, "Bo Other")
        number = moderation.report(session, ada, "abuse", f"account:{bo}", "Says [bold]things[/].")
    yield community, number, bo
    community.close()


def test_reports_are_listed_and_decided(site) -> None:
    community, number, bo = site
    home = ("--home", str(community.settings.home))
    shown = json.loads(run("moderation", "queue", *home, "--json").stdout)
    assert (shown["total"], shown["reports"][0]["target"]) == (1, f"account:{bo}")
    assert "Says [bold]things[/]." in run("moderation", "queue", *home).stdout
    wrong = run("moderation", "decide", str(number), "maybe", "Because.", *home)
    assert wrong.exit_code == 1
    done = run(
        "moderation", "decide", str(number), "done", "Because.", "--action", "suspend", *home
    )
    assert done.exit_code == 0, done.output
    again = run("moderation", "decide", str(number), "done", "Because.", *home)
    assert again.exit_code == 1
    assert "decided before" in again.stderr
    assert run("moderation", "queue", *home).stdout.strip() == "No reports."
    decided = json.loads(run("moderation", "queue", "--state", "done", *home, "--json").stdout)
    assert decided["reports"][0]["decision"] == "Because."
    lines = json.loads(run("moderation", "audit", "--action", "moderation", *home, "--json").stdout)
    assert [(one["actor"], one["action"]) for one in lines["lines"]] == [
        ("operator", "moderation.suspend")
    ]


def test_a_log_that_was_bent_is_found(site) -> None:
    community, _, _ = site
    home = ("--home", str(community.settings.home))
    good = run("moderation", "audit", "--verify", *home)
    assert good.exit_code == 0
    assert "The chain holds up to line 3." in good.stdout
    with community.writing() as session:
        session.execute(text("DROP TRIGGER audit_entry_no_update"))
        session.execute(text("UPDATE audit_entry SET actor = 'nobody' WHERE id = 2"))
    bad = run("moderation", "audit", "--verify", *home, "--json")
    assert bad.exit_code == 1
    told = json.loads(bad.stdout)
    assert (told["broken_at"], told["holds_up_to"]) == (2, 1)
    assert "breaks at line 2" in bad.stderr
    assert run("moderation", "audit", *home).exit_code == 0, "without --verify nothing is computed"


def test_the_digest_command_says_who_and_what_it_needs(site, monkeypatch) -> None:
    community, _, _ = site
    home = ("--home", str(community.settings.home))
    bare = run("digest", *home)
    assert bare.exit_code == 1
    assert "PEERSCOPE_BASE_URL" in bare.stderr
    monkeypatch.setenv("PEERSCOPE_BASE_URL", "https://research.example.org")
    assert "No account is to get a mail now." in run("digest", "--dry-run", *home).stdout
    assert json.loads(run("digest", *home, "--json").stdout) == {"dry_run": False, "accounts": []}


def test_there_is_nothing_to_moderate_where_there_is_no_site(tmp_path) -> None:
    done = run("moderation", "queue", "--home", str(tmp_path / "none"))
    assert done.exit_code == 1
    assert "There is no site" in done.stderr
