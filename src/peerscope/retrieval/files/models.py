"""Every model of a home in service: asked by name, brought up to date by one thread beside the queries."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peerscope.retrieval.files.changes import ChangeLog
from peerscope.retrieval.files.home import DEFAULT, Home
from peerscope.retrieval.files.ids import ItemIds
from peerscope.retrieval.files.items import read_items
from peerscope.retrieval.files.problems import Problems
from peerscope.retrieval.files.serving import Answer, Asked, NotServedError, ServedModel
from peerscope.retrieval.files.tables import GivenRows

log = logging.getLogger(__name__)

LOOK_EVERY = 0.5
"""Seconds between two looks for a new bundle or for changes by another process."""


@dataclass(frozen=True, slots=True)
class TakenIn:
    """How many items were taken in, and what was wrong with the others."""

    items: int
    problems: Problems


class ServedModels:
    """The models of a home in service (the paper's proxy by name).

    Args:
        home: The folder.
        engine: Which index implementation reads the bundles.
    """

    def __init__(self, home: Home, engine: str = "auto") -> None:
        self.home = home
        self.changes = ChangeLog(home.changes)
        self._engine = engine
        self._models: Mapping[str, ServedModel] = {}
        self._stop = threading.Event()
        self._watching: threading.Thread | None = None

    def refresh(self) -> None:
        """Look for new models, new bundles and new changes."""
        for folder in self.home.models():
            if folder.name not in self._models and folder.store.current() is not None:
                made = ServedModel(folder.name, folder.store, self.changes, self._engine)
                self._models = {**self._models, folder.name: made}
        for model in self._models.values():
            model.refresh()

    def watch(self) -> None:
        """Keep up to date in a thread of its own until `close`."""
        self.refresh()
        self._watching = threading.Thread(target=self._watch, name="bundles", daemon=True)
        self._watching.start()

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            try:
                self.refresh()
            except Exception:
                log.exception("Looking for new bundles failed; what is in service stays.")

    def close(self) -> None:
        """Stop watching and take everything out of service."""
        self._stop.set()
        if self._watching is not None:
            self._watching.join()
        for model in self._models.values():
            model.close()

    def model(self, name: str | None = None) -> ServedModel:
        """A model by its name; without one, `main` or the only one there is.

        Raises:
            NotServedError: There is no such model.
        """
        models = self._models
        if name is None:
            name = DEFAULT if DEFAULT in models or len(models) != 1 else next(iter(models))
        found = models.get(name)
        if found is None:
            there = ", ".join(models) or "none; index one first"
            raise NotServedError(f"There is no model {name!r} in service. There are: {there}.")
        return found

    def search(self, asked: Asked, model: str | None = None) -> Answer:
        """Answer one query; see `ServedModel.search`."""
        return self.model(model).search(asked)

    def upsert(self, rows: Sequence[Mapping[str, Any]]) -> TakenIn:
        """Add items or replace them by their id, in every model at once; checked as the items file is.

        They are on disk before this returns, and found from then on.
        """
        problems = Problems()
        ids = ItemIds()
        items = list(read_items(GivenRows("items", rows), ids, problems))
        if items:
            self.changes.put([(ids.own(item.id), item) for item in items])
            self._catch_up()
        return TakenIn(len(items), problems)

    def delete(self, owns: Sequence[str]) -> None:
        """Take items out of every model at once; unknown ids are passed over."""
        if owns:
            self.changes.remove(owns)
            self._catch_up()

    def _catch_up(self) -> None:
        for model in self._models.values():
            model.catch_up()

    def in_service(self) -> dict[str, str | None]:
        """Each model with the bundle that answers for it."""
        served = {name: model.servable for name, model in self._models.items()}
        return {name: found.bundle if found else None for name, found in served.items()}

    def status(self) -> list[dict[str, Any]]:
        """Each model with its bundles."""
        return [_status(model) for model in self._models.values()]


def _status(model: ServedModel) -> dict[str, Any]:
    servable = model.servable
    published = []
    for name in model.store.list():
        stated = model.store.manifest(name)
        published.append(
            {"bundle": name, "created": stated.created, "items": stated.items,
             "metadata": stated.metadata}
        )  # fmt: skip
    return {
        "model": model.name,
        "bundle": None if servable is None else servable.bundle,
        "items": 0 if servable is None else servable.count(),
        "changes": 0 if servable is None else servable.seen,
        "bundles": published,
        "refused": dict(model.refused),
    }
