"""Retrieval from three files, for any catalogue: train, index, evaluate, query, serve."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.table import Table

from peerscope.cli.context import Home, Json, err, out, print_json, settings_for
from peerscope.cli.errors import CommandError, Exit, explained
from peerscope.cli.progress import reporting
from peerscope.retrieval.files.catalogue import Catalogue
from peerscope.retrieval.files.evaluation import METRICS, Evaluation, evaluate_model
from peerscope.retrieval.files.held_out import SHARE, By
from peerscope.retrieval.files.home import DEFAULT
from peerscope.retrieval.files.home import Home as Folder
from peerscope.retrieval.files.models import ServedModels
from peerscope.retrieval.files.pipeline import index_model, train_model
from peerscope.retrieval.files.problems import FileError
from peerscope.retrieval.files.serving import Answer, Asked, AskedUser, NotServedError

app = typer.Typer(
    name="retrieval",
    help="Search for any catalogue, from three files: items, users, interactions.",
    no_args_is_help=True,
)

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[ITEMS [USERS] [INTERACTIONS]]",
        help="Parquet, JSON lines or CSV; without any, the files that were named last.",
        show_default=False,
    ),
]
Name = Annotated[str, typer.Option("--name", help="Name of the model, for several side by side.")]
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SHOWN_KINDS = 8


def register(parent: typer.Typer) -> None:
    """Add the group of commands of this module."""
    for command in (train, index, evaluate, query, serve, rollback):
        app.command(command.__name__)(command)
    parent.add_typer(app)


def train(
    files: Files = None,
    home: Home = None,
    name: Name = DEFAULT,
    config: Annotated[
        str, typer.Option("--config", help="best, or paper: DPSR as printed.")
    ] = "best",
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A setting in place of the configuration's."
        ),
    ] = None,
    hold_out: Annotated[
        float, typer.Option("--hold-out", help="Share of the interactions kept for `evaluate`.")
    ] = SHARE,
    by: Annotated[
        str | None,
        typer.Option("--hold-out-by", help="time or query; without it, the data decides."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Sentence encoder in front of the towers: auto, none, or a folder (PEERSCOPE_ENCODER).",
            show_default=False,
        ),
    ] = None,
    warm: Annotated[
        bool, typer.Option("--warm", help="Go on from the model's last towers if they fit.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Read and check the files and train the towers; a run that was stopped goes on after its last pass."""
    with _explained():
        if by not in (None, "time", "query"):
            raise CommandError(f"--hold-out-by is time or query, not {by!r}.", Exit.USAGE)
        settings = settings_for(home, encoder=encoder)
        folder = Folder(settings.home)
        with reporting(err) as progress:
            report = train_model(
                folder, name, files or [], preset=config, changes=changes or (),
                share=hold_out, by=cast(By | None, by), encoder=settings.encoder,
                warm=warm, progress=progress,
            )  # fmt: skip
        _say_problems(report.catalogue, folder)
        number, by_what = report.events_held_out, report.held_out.by
        about = f"{number:,} interactions held out by {by_what}" if number else "Nothing held out"
        _say(f"{report.note} {about} ({report.seconds:.0f} s).")
        if as_json:
            print_json(report.as_dict())


def index(
    files: Files = None, home: Home = None, name: Name = DEFAULT, as_json: Json = False
) -> None:
    """Embed the items and publish a bundle; it goes into service if it passes its gates."""
    with _explained():
        folder, engine = _folder(home), settings_for(home).index
        with reporting(err) as progress:
            report = index_model(folder, name, files or [], engine=engine, progress=progress)
        _say_problems(report.catalogue, folder)
        built = report.build
        state = "published" if built.published else "not published"
        _say(
            f"Bundle {built.bundle} of {name} {state}: {built.items:,} items, "
            f"{built.bytes / 1e6:,.1f} MB ({report.seconds:.0f} s)."
        )
        for gate in built.gates:
            _say(f"  {gate.name}: {gate.sentence}")
        if as_json:
            print_json(report.as_dict())
        if not built.published:
            raise CommandError(f"The new bundle was not published: {built.refusal}", Exit.GATES)


def evaluate(
    files: Files = None,
    home: Home = None,
    name: Name = DEFAULT,
    queries: Annotated[int, typer.Option(min=1, help="Held-out queries to ask, at most.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of what is drawn.")] = 0,
    as_json: Json = False,
) -> None:
    """Measure the bundle in service on the interactions that were held out."""
    with _explained():
        with reporting(err) as progress:
            found = evaluate_model(
                _folder(home), name, files or [], most=queries, seed=seed, progress=progress
            )
        if as_json:
            print_json(found.as_dict())
        else:
            _print_evaluation(found)


def query(
    text: Annotated[str, typer.Argument(help="What to look for, in any words.")],
    home: Home = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the model.")] = None,
    user: Annotated[str | None, typer.Option(help="Who asks: an id of the files.")] = None,
    k: Annotated[int, typer.Option("--k", min=1, max=1000, help="Items to show.")] = 10,
    as_json: Json = False,
) -> None:
    """Ask the bundle in service; the answers are the files' own ids."""
    with _explained(), _models(home) as models:
        models.refresh()
        who = AskedUser(user) if user is not None else None
        answer = models.search(Asked(text, k, user=who), name)
        if as_json:
            print_json(_answer(text, answer))
            return
        if user is not None and not answer.user:
            _say(f"Nothing is known of the user {user}.")
        for sentence in (answer.results.note, _corrected(answer)):
            if sentence:
                _say(sentence)
        for place, found in enumerate(answer.found, 1):
            out.print(f"{place:>3}. {_plain(found.title)}  [dim]{_plain(found.id)}[/]")
            if reasons := _reasons(found.hit.matched_words, found.because):
                out.print(f"     [dim]{_plain(reasons)}[/]")
        if not answer.found:
            out.print("Nothing found.")


def serve(
    home: Home = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (0: any free one).")] = None,
    writable: Annotated[
        bool | None,
        typer.Option(
            "--writable/--read-only",
            help="Whether items may be added and removed; by default on this machine only.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve every model of the folder as JSON over HTTP; new bundles go into service while it runs."""
    with _explained():
        settings = settings_for(home, host=host, port=port)
        from peerscope.cli.serving import (
            serve_models,
        )  # the web stack is loaded by what serves only

        models = ServedModels(Folder(settings.home), settings.index)
        here = settings.host in LOOPBACK
        serve_models(models, settings.host, settings.port, here if writable is None else writable)


def rollback(home: Home = None, name: Name = DEFAULT, as_json: Json = False) -> None:
    """Put the bundle before the one in service back."""
    with _explained():
        bundle = _folder(home).model(name).store.rollback()
        if as_json:
            print_json({"model": name, "bundle": bundle})
        else:
            out.print(f"Bundle {bundle} of {name} is in service again.")


@contextmanager
def _explained() -> Iterator[None]:
    """Failures of reading and of the disk as sentences with their exit codes."""
    with explained(err):
        try:
            yield
        except FileError as error:
            code = Exit.NOTHING_IMPORTED if error.nothing_left else Exit.FAILED
            raise CommandError(str(error), code) from error
        except NotServedError as error:
            raise CommandError(str(error.args[0])) from error


def _folder(home: Path | None) -> Folder:
    return Folder(settings_for(home).home)


@contextmanager
def _models(home: Path | None) -> Iterator[ServedModels]:
    settings = settings_for(home)
    models = ServedModels(Folder(settings.home), settings.index)
    try:
        yield models
    finally:
        models.close()


def _say(sentence: str) -> None:
    err.print(sentence, highlight=False, markup=False, soft_wrap=True)


def _say_problems(catalogue: Catalogue, folder: Folder) -> None:
    for name, count in catalogue.counts.items():
        aside = f", {count['set_aside']:,} set aside" if count["set_aside"] else ""
        _say(f"{name}: {count['rows']:,} rows{aside}")
    kinds = catalogue.problems.kinds()
    for kind in kinds[:SHOWN_KINDS]:
        times = f" ({kind.count:,} of this kind)" if kind.count > 1 else ""
        _say(f"  {kind.first.sentence()}{times}")
    if kinds:
        _say(f"All of it: {folder.problems}")


def _print_evaluation(found: Evaluation) -> None:
    parts = (("all queries", found.measured[0], found.systems),
             ("by users of whom something is known", found.measured[1], found.personal))  # fmt: skip
    for about, number, systems in parts:
        if not systems:
            continue
        table = Table(title=f"{number:,} held-out queries, {about}", title_justify="left", box=None)
        table.add_column("")
        for metric in METRICS:
            label = f"{metric} of {found.pool:,}" if metric.startswith("top") else metric
            table.add_column(label, justify="right")
        for name, means in systems.items():
            table.add_row(name, *(f"{means[metric]:.3f}" for metric in METRICS))
        out.print(table)
    _say(f"Bundle {found.bundle}, held out by {found.held_out.by} ({found.seconds:.0f} s).")


def _answer(text: str, answer: Answer) -> dict[str, Any]:
    return {
        "query": text,
        "model": answer.model,
        "bundle": answer.bundle,
        "personal": answer.results.personal,
        "corrected": answer.results.corrected,
        "mode": answer.results.mode,
        "note": answer.results.note,
        "results": [
            {"id": found.id, "title": found.title, "score": round(found.hit.score, 4),
             "matched_words": found.hit.matched_words, "because": found.because}
            for found in answer.found
        ],
    }  # fmt: skip


def _corrected(answer: Answer) -> str | None:
    return f"Searched for: {answer.results.corrected}" if answer.results.corrected else None


def _reasons(words: tuple[str, ...], because: str | None) -> str:
    parts = [f"has {', '.join(words)}"] if words else []
    parts += [f"near {because}, met before"] if because else []
    return "; ".join(parts)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
