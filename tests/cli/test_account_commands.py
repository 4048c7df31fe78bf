"""The operator's commands on accounts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from peerscope.cli import app
from peerscope.cli.accounts import app as group
from peerscope.community import Community, audit
from peerscope.community.accounts import create_account, sign_in
from peerscope.community.models import Account
from peerscope.community.sessions import find_session, open_session
from peerscope.community.tickets import look
from peerscope.record import Database
from peerscope.settings import Settings

PASSWORD = "a horse and a battery"


@pytest.fixture
def home(tmp_path, quick_hashes) -> str:
    community = Community(Settings(home=tmp_path))
    with community.writing() as session:
        create_account(session, "Ada Example", email="ada@example.org", password=PASSWORD)
        create_account(session, "Bo [bold]Other", email="bo@example.org", role="admin")
        create_account(session, "Same Name")
        create_account(session, "Same Name")
    community.close()
    return str(tmp_path)


@pytest.fixture
def community(home):
    opened = Community(Settings(home=home))
    yield opened
    opened.close()


def run(home: str, *arguments: str, code: int = 0):
    done = CliRunner().invoke(app, ["account", *arguments, "--home", home])
    assert done.exit_code == code, done.output
    return done


def test_listing(home) -> None:
    found = json.loads(run(home, "list", "--json").stdout)["accounts"]
    assert [(one["id"], one["role"], one["state"]) for one in found][:2] == [
        (1, "member", "active"), (2, "admin", "active"),
    ]  # fmt: skip
    text = run(home, "list").stdout
    assert "Ada Example" in text and "Bo [bold]Other" in text and PASSWORD not in text


def test_roles_and_the_last_admin(home, community) -> None:
    assert "last admin" in run(home, "role", "bo@example.org", "member", code=1).stderr
    run(home, "role", "Ada Example", "admin")
    run(home, "role", "2", "member")
    assert "One of" not in run(home, "role", "1", "king", code=1).stdout
    with community.reading() as session:
        assert session.get(Account, 1).role == "admin" and session.get(Account, 2).role == "member"
        assert audit.broken_at(session) is None


def test_suspending_and_restoring(home, community) -> None:
    with community.writing() as session:
        secret = open_session(session, 1, "password")
    done = json.loads(run(home, "suspend", "ADA@example.org", "--json").stdout)
    assert done == {"id": 1, "state": "suspended", "sessions_ended": 1}
    with community.reading() as session:
        assert find_session(session, secret) is None
        with pytest.raises(ValueError, match="suspended"):
            sign_in(session, "ada@example.org", PASSWORD)
    run(home, "restore", "1")
    with community.reading() as session:
        assert sign_in(session, "ada@example.org", PASSWORD) == 1
        assert find_session(session, secret) is None


def test_signing_out(home, community) -> None:
    with community.writing() as session:
        secrets = [open_session(session, 1, "password") for _ in range(2)]
    assert "2 sessions" in run(home, "sign-out", "1").stdout
    with community.reading() as session:
        assert [find_session(session, one) for one in secrets] == [None, None]


def test_links(home, community, monkeypatch) -> None:
    monkeypatch.setenv("PEERSCOPE_BASE_URL", "https://discover.example.org/")
    link = run(home, "invite", "New@Example.org").stdout.strip()
    secret = re.fullmatch(r"https://discover\.example\.org/join/([\w-]+)", link)[1]
    reset = json.loads(run(home, "reset-link", "1", "--json").stdout)["link"]
    with community.reading() as session:
        assert look(session, "join", secret).value == "new@example.org"
        assert look(session, "reset", reset.rsplit("/", 1)[1]).account_id == 1
    assert "There is an account" in run(home, "invite", "ada@example.org", code=1).stderr
    assert "e-mail address" in run(home, "invite", "nonsense", code=1).stderr


def test_whoever_is_not_there_is_said(home) -> None:
    for who in ("nobody", "99", "9" * 40, "", "Same Name", "[bold]x"):
        said = run(home, "suspend", who, code=1).stderr
        assert "account" in said and "Traceback" not in said


def test_a_site_whose_mails_would_lead_astray_does_not_start(home, monkeypatch) -> None:
    database = Database(Settings(home=home).record_url)
    database.migrate()
    database.close()
    monkeypatch.setenv("PEERSCOPE_SMTP_HOST", "mail.example.org")
    done = CliRunner().invoke(app, ["serve", "--home", home, "--port", "0"])
    assert done.exit_code == 1 and "PEERSCOPE_BASE_URL has to be set" in done.stderr
    assert "Serving" not in done.stdout


def test_every_command_and_option_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    for command in group.registered_commands:
        row = re.search(rf"^\| `peerscope account {command.name}.*$", text, re.MULTILINE)[0]
        shown = CliRunner().invoke(app, ["account", command.name, "--help"]).stdout
        options = set(re.findall(r"--[a-z-]+", shown)) - {"--help"}
        assert options == set(re.findall(r"`(--[a-z-]+)`", row)), command.name
