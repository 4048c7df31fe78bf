"""Commands of the operator: reports and the audit log, and the mails of what is new."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from peerscope.cli.context import Home, Json, err, open_record, out, print_json, settings_for
from peerscope.cli.errors import CommandError, explained
from peerscope.community import Community, audit, moderation
from peerscope.community.digests import run
from peerscope.community.hearing import follow_news
from peerscope.discover import SiteDiscovery
from peerscope.settings import Settings
from peerscope.web.feeds import searching

MOST = 1_000

group = typer.Typer(no_args_is_help=True, help="Reports, decisions and the audit log.")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(group, name="moderation")
    app.command("digest")(digest)


@group.command("queue")
def queue(
    state: Annotated[str, typer.Option(help="open, done, declined or all.")] = "open",
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="Reports to show.")] = 20,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show what people asked moderators to look at, the oldest open reports first."""
    with explained(err):
        community = _community(settings_for(home))
        pages = -(-limit // moderation.PER_PAGE)
        with community.reading() as session:
            found: list[moderation.Asked] = []
            total = 0
            for page in range(1, pages + 1):
                rows, number = moderation.queue(session, state=state, page=page)
                found, total = found + rows, number or total
        found = found[:limit]
        if as_json:
            print_json({"total": total, "reports": [asdict(one) for one in found]})
            return
        table = Table(box=None)
        for column in ("Report", "About", "Kind", "State", "When", "Says"):
            table.add_column(column)
        for one in found:
            row = (str(one.id), one.target, one.kind, one.state, f"{one.at:%Y-%m-%d}", one.text)
            table.add_row(*(cell.replace("[", r"\[") for cell in row))
        out.print(table if found else "No reports.")


@group.command("decide")
def decide(
    report: Annotated[int, typer.Argument(min=1, help="Number of the report.")],
    state: Annotated[str, typer.Argument(help="done or declined.")],
    decision: Annotated[str, typer.Argument(help="Why, in a sentence that its reporter reads.")],
    action: Annotated[
        str, typer.Option(help="none, hide, unhide, remove or suspend: what is done besides.")
    ] = "none",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Decide a report as the operator, also one that concerns every moderator."""
    with explained(err):
        community = _community(settings_for(home))
        with community.writing() as session:
            moderation.decide(session, moderation.OPERATOR, report, state, decision, action)
        if as_json:
            print_json({"report": report, "state": state, "action": action})
            return
        out.print(f"Report {report}: {state}.")


@group.command("audit")
def audit_log(
    verify: Annotated[
        bool, typer.Option("--verify", help="Compute the whole chain; code 1 if it breaks.")
    ] = False,
    actor: Annotated[str, typer.Option(help="Only of this actor, as account:3.")] = "",
    action: Annotated[str, typer.Option(help="Only of actions that begin so, as role.")] = "",
    target: Annotated[str, typer.Option(help="Only of this target, as account:3.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="Lines to show.")] = 20,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show the audit log, the latest lines first, and on demand whether its chain holds."""
    with explained(err):
        community = _community(settings_for(home))
        with community.reading() as session:
            number, digest_ = audit.head(session)
            broken = audit.broken_at(session) if verify else None
            lines = audit.lines(session, actor=actor, action=action, target=target, most=limit)
        if as_json:
            told: dict[str, object] = {"last": number, "hash": digest_}
            if verify:
                told |= {
                    "broken_at": broken,
                    "holds_up_to": number if broken is None else broken - 1,
                }
            print_json(told | {"lines": [line.as_dict() for line in lines]})
        else:
            for line in lines:
                words = (line.at[:19], line.actor, line.action, line.target, line.detail)
                out.print(f"{line.id:>7}  {'  '.join(words)}".replace("[", r"\["))
            out.print(f"Last line {number}, {digest_}")
            if verify and broken is None:
                out.print(f"The chain holds up to line {number}.")
        if broken is not None:
            raise CommandError(
                f"The chain breaks at line {broken}: it holds up to line {broken - 1}. Somebody changed the "
                "database itself; compare it with a backup."
            )


def digest(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say who would get a mail, and send none.")
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Send the mails of what is new to the accounts that want one and whose time has come."""
    with explained(err):
        settings = settings_for(home)
        community = _community(settings)
        record = open_record(settings, create=False)
        discovery = SiteDiscovery(record, settings.bundles, settings.index)
        outcomes = []
        for one in run(community, record, follow_news(searching(discovery)), dry_run=dry_run):
            outcomes.append(asdict(one))
            if not as_json:
                out.print(
                    f"Account {one.account_id}: {one.outcome} ({one.notices} notices, {one.works} works)"
                )
        if as_json:
            print_json({"dry_run": dry_run, "accounts": outcomes})
        elif not outcomes:
            out.print("No account is to get a mail now.")
        failed = sum(one["outcome"] == "failed" for one in outcomes)
        if failed:
            raise CommandError(
                f"{failed} mails could not be sent; the log says why. They are tried again the next time."
            )


def _community(settings: Settings) -> Community:
    """The community of a site that is there.

    Raises:
        FileNotFoundError: There is no site in this folder.
    """
    open_record(settings, create=False).close()
    return Community(settings)
