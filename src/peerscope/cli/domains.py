"""``peerscope domains``: which domains belong to which institutions, from ROR."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from peerscope.cli.context import Home, Json, err, out, print_json, settings_for
from peerscope.cli.errors import CommandError, Exit, explained
from peerscope.community import Community, CommunityError
from peerscope.community.domains import import_domains, known_domains, place_of
from peerscope.community.ror import normal_domain

domains = typer.Typer(
    name="domains",
    help="Domains of institutions, by which people show an affiliation.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(domains)


@domains.command("import")
def import_file(
    file: Annotated[
        Path, typer.Argument(help="ROR's data dump (JSON) or JSON lines; gzip and zstd too.")
    ],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Make the domains that a ROR file states the domains of this site."""
    with explained(err):
        community = Community(settings_for(home))
        try:
            with community.writing() as session:
                done = import_domains(session, file)
        except CommunityError as error:
            raise CommandError(str(error), Exit.NOTHING_IMPORTED) from error
        finally:
            community.close()
        if as_json:
            print_json(asdict(done))
            return
        out.print(
            f"{done.domains:,} domains of {done.institutions:,} institutions: {done.added:,} new, "
            f"{done.removed:,} gone. Not taken: {sum(done.skipped.values()):,} institutions "
            f"({', '.join(f'{n:,} {why}' for why, n in sorted(done.skipped.items())) or 'none'}), "
            f"{done.bad:,} bad records or domains."
        )
        for one in done.examples:
            err.print(one, markup=False)


@domains.command("show")
def show(
    domain: Annotated[str, typer.Argument(help="A domain, as mail.example.edu.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Say which institutions a domain belongs to."""
    with explained(err):
        community = Community(settings_for(home))
        try:
            with community.reading() as session:
                place = place_of(session, normal_domain(domain))
                known = known_domains(session)
        finally:
            community.close()
        found = place.institutions if place else ()
        if as_json:
            print_json(
                {
                    "domain": place.domain if place else None,
                    "institutions": [{"ror": ror, "name": name} for ror, name in found],
                    "known_domains": known,
                }
            )
            return
        if place is None:
            out.print(f"No institution has {domain}, of {known:,} domains known.", markup=False)
        for ror, name in found:
            out.print(f"{place.domain if place else ''}  {ror}  {name}", markup=False)
