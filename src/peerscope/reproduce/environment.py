"""What a figure was measured with: machine, versions and code, without names of hosts, users or folders."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any


def environment() -> dict[str, Any]:
    """Python, system, processor, memory, accelerators and every installed package."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_mb": _memory(),
        "packages": packages(),
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        found["threads"] = torch.get_num_threads()
        if torch.cuda.is_available():
            found["accelerators"] = [
                torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())
            ]
            found["cuda"] = torch.version.cuda
    return found


def packages() -> dict[str, str]:
    """Every installed distribution and its version."""
    found = {
        one.metadata["Name"].lower(): one.version for one in distributions() if one.metadata["Name"]
    }
    return dict(sorted(found.items()))


def code_hashes(entry: str) -> dict[str, str]:
    """A SHA-256 of every loaded source file of a protocol's own package, of methods and of retrieval.

    Args:
        entry: The protocol's ``module:function``.
    """
    module = entry.partition(":")[0]
    own = module.partition(".")[0]
    if own == "peerscope":
        own = "peerscope.reproduce.protocols"
    roots = (own, "peerscope.methods", "peerscope.retrieval")
    found = {}
    for name, loaded in sorted(sys.modules.items()):
        path = getattr(loaded, "__file__", None)
        inside = any(name == root or name.startswith(f"{root}.") for root in roots)
        if inside and path and Path(path).suffix == ".py":
            found[name] = file_hash(Path(path))
    return found


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digest(hashes: dict[str, str]) -> str:
    """One SHA-256 over named hashes."""
    return hashlib.sha256(
        "".join(f"{v}  {k}\n" for k, v in sorted(hashes.items())).encode()
    ).hexdigest()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "not known"


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    except (ValueError, OSError, AttributeError):
        return None
