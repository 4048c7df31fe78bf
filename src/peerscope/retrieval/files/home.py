"""The folder that holds everything of one catalogue, with its models by name (DPSR section 5.2.2).

::

    files.json                the three files, as they were named last
    problems.jsonl            what was set aside when they were read last
    changes.sqlite            items that were added and removed in service
    encodings/                texts that a sentence encoder has read; may be removed
    models/NAME/towers-*/     the last trained towers
    models/NAME/trained.json  which they are, how they were trained, and what was held out
    models/NAME/bundles/      published bundles; `current` names the one in service
    models/NAME/partial/      work of a run that was stopped
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from peerscope.retrieval.bundle import BundleStore

DEFAULT = "main"
"""Name of the model where none is given."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """The folder of one model."""

    name: str
    folder: Path

    @property
    def trained(self) -> Path:
        """Which towers were trained last, and how."""
        return self.folder / "trained.json"

    @property
    def partial(self) -> Path:
        """Work of a run that was stopped, so that the next one goes on."""
        return self.folder / "partial"

    @property
    def store(self) -> BundleStore:
        """Its bundles."""
        return BundleStore(self.folder / "bundles")


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one catalogue."""

    folder: Path

    @property
    def files(self) -> Path:
        """The three files, as they were named last."""
        return self.folder / "files.json"

    @property
    def problems(self) -> Path:
        """What was set aside when they were read last."""
        return self.folder / "problems.jsonl"

    @property
    def changes(self) -> Path:
        """Items that were added and removed in service."""
        return self.folder / "changes.sqlite"

    @property
    def encodings(self) -> Path:
        """Texts that a sentence encoder has read."""
        return self.folder / "encodings"

    def model(self, name: str = DEFAULT) -> ModelFolder:
        """The folder of a model, whether it is there or not.

        Raises:
            ValueError: The name cannot be one.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} cannot name a model: small letters, digits, - and _, at most 63 of them."
            )
        return ModelFolder(name, self.folder / "models" / name)

    def models(self) -> list[ModelFolder]:
        """Every model that has a folder, by name."""
        place = self.folder / "models"
        if not place.is_dir():
            return []
        names = sorted(path.name for path in place.iterdir() if path.is_dir())
        return [self.model(name) for name in names if _NAME.fullmatch(name)]
