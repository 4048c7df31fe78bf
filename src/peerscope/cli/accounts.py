"""Accounts of the site, for its operator: list, invite, role, suspend, restore, sign-out, reset-link."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text
from sqlalchemy import select

from peerscope.cli.context import Home, Json, err, out, print_json, settings_for
from peerscope.cli.errors import CommandError, explained
from peerscope.community import Community, changes, tickets
from peerscope.community.accounts import ROLES, account_of_email, clean_email, set_role
from peerscope.community.audit import OPERATOR, record
from peerscope.community.models import Account
from peerscope.community.proofs import level_column
from peerscope.community.sessions import close_all
from peerscope.community.times import utc
from peerscope.settings import Settings

app = typer.Typer(name="account", help="Accounts of the site.", no_args_is_help=True)

Who = Annotated[
    str, typer.Argument(metavar="ACCOUNT", help="Its number, e-mail address, or whole name.")
]


def register(parent: typer.Typer) -> None:
    """Add the group of commands of this module."""
    app.command("list")(list_accounts)
    app.command("invite")(invite)
    app.command("role")(role)
    app.command("suspend")(suspend)
    app.command("restore")(restore)
    app.command("sign-out")(sign_out)
    app.command("reset-link")(reset_link)
    parent.add_typer(app)


@contextmanager
def _community(settings: Settings) -> Iterator[Community]:
    if not settings.community_url and not settings.home.exists():
        raise CommandError(f"There is no site in {settings.home}; name its folder with --home.")
    community = Community(settings)
    try:
        yield community
    finally:
        community.close()


def list_accounts(home: Home = None, as_json: Json = False) -> None:
    """List the accounts: number, name, address, role, level, state."""
    with explained(err), _community(settings_for(home)) as community:
        with community.reading() as session:
            rows = session.execute(
                select(Account, level_column().label("level")).order_by(Account.id)
            ).all()
            found = [_row(account, level) for account, level in rows]
        if as_json:
            print_json({"accounts": found})
            return
        table = Table("number", "name", "address", "role", "level", "state", "since", box=None)
        for one in found:
            table.add_row(*(Text(str(value or "")) for value in one.values()))
        out.print(table)


def _row(account: Account, level: int) -> dict[str, Any]:
    return {
        "id": account.id, "name": account.name, "email": account.email, "role": account.role,
        "level": f"L{level}", "state": account.state,
        "created": utc(account.created_at).date().isoformat(),
    }  # fmt: skip


def invite(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Whom the link is for.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Make a link by which somebody joins, also on a closed site; it holds a day."""
    with explained(err), _community(settings_for(home)) as community:
        with community.writing() as session:
            address = clean_email(email)
            if account_of_email(session, address) is not None:
                raise CommandError(f"There is an account with the address {address}.")
            secret = tickets.issue(session, "join", value=address)
            record(session, OPERATOR, "account.invite", "site")
        _print_link(community.settings, f"join/{secret}", as_json)


def reset_link(account: Who, home: Home = None, as_json: Json = False) -> None:
    """Make a link by which somebody sets a new password; it holds an hour."""
    with explained(err), _community(settings_for(home)) as community:
        with community.writing() as session:
            number = changes.find_account(session, account)
            secret = tickets.issue(session, "reset", number)
            record(session, OPERATOR, "password.link", f"account:{number}")
        _print_link(community.settings, f"reset/{secret}", as_json)


def role(
    account: Who,
    new: Annotated[str, typer.Argument(metavar="ROLE", help=f"One of {', '.join(ROLES)}.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Make an account a member, moderator or admin."""
    with explained(err), _community(settings_for(home)) as community:
        with community.writing() as session:
            number = changes.find_account(session, account)
            set_role(session, number, new, OPERATOR)
        _say(as_json, number, f"Account {number} is a {new} now.", role=new)


def suspend(account: Who, home: Home = None, as_json: Json = False) -> None:
    """Keep an account out, and end its sessions."""
    with explained(err), _community(settings_for(home)) as community:
        with community.writing() as session:
            number = changes.find_account(session, account)
            ended = changes.suspend(session, number, OPERATOR)
        said = f"Account {number} is suspended; {ended} sessions ended."
        _say(as_json, number, said, state="suspended", sessions_ended=ended)


def restore(account: Who, home: Home = None, as_json: Json = False) -> None:
    """Let a suspended account in again."""
    with explained(err), _community(settings_for(home)) as community:
        with community.writing() as session:
            number = changes.find_account(session, account)
            changes.restore(session, number, OPERATOR)
        _say(as_json, number, f"Account {number} may sign in.", state="active")


def sign_out(account: Who, home: Home = None, as_json: Json = False) -> None:
    """End all sessions of an account."""
    with explained(err), _community(settings_for(home)) as community:
        with community.writing() as session:
            number = changes.find_account(session, account)
            ended = close_all(session, number)
            record(session, OPERATOR, "session.end", f"account:{number}", sessions=ended)
        _say(as_json, number, f"{ended} sessions of account {number} ended.", sessions_ended=ended)


def _print_link(settings: Settings, path: str, as_json: bool) -> None:
    base = settings.base_url.rstrip("/") or f"http://{settings.host}:{settings.port}"
    link = f"{base}/{path}"
    if as_json:
        print_json({"link": link})
    else:
        out.print(Text(link))


def _say(as_json: bool, number: int, sentence: str, **facts: object) -> None:
    if as_json:
        print_json({"id": number, **facts})
    else:
        out.print(Text(sentence))
