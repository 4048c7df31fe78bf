"""The library imports on a machine that has torch and NumPy only."""

from __future__ import annotations

import subprocess
import sys

BARE = """
import importlib, pkgutil, sys
import numpy, torch
from importlib.machinery import PathFinder

class OnlyOurs:
    def find_spec(self, name, path=None, target=None):
        found = PathFinder.find_spec(name, path)
        origin = getattr(found, "origin", None) or ""
        if "site-packages" in origin and name.split(".")[0] not in {"numpy", "torch", "peerscope"}:
            raise ModuleNotFoundError(f"{name} is not on a bare machine")
        return None

sys.meta_path.insert(0, OnlyOurs())
import peerscope.methods
names = [one.name for one in pkgutil.walk_packages(peerscope.methods.__path__, "peerscope.methods.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
import peerscope.methods.collapse
"""


def run(source: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=False
    )


def test_every_module_imports_with_torch_and_numpy_alone() -> None:
    done = run(BARE)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


def test_the_collapse_report_imports_without_torch() -> None:
    done = run(WITHOUT_TORCH)
    assert done.returncode == 0, done.stderr
