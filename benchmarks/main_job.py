"""The main job on real input, stage by stage: counts, seconds, peak memory.

    PEERSCOPE_ENCODER=none python benchmarks/main_job.py ../shared/data/scholarly/acl.jsonl.zst

Runs `peerscope import`, `train`, `publish` and a few searches, each as a process of its own in a temporary
home, and prints a table for docs/benchmarks/main-job.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version

QUERIES = (
    "word sense disambiguation with few labels",
    "parsing without treebanks",
    "bleu alternatives",
)
CODE = "import sys; from peerscope.cli import main; sys.argv = ['peerscope', *sys.argv[1:]]; main()"


def stage(home: str, *arguments: str) -> tuple[float, int, object]:
    """Seconds, peak resident kilobytes of the process, and its report."""
    began = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments, "--home", home, "--json"], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, arguments
    return time.perf_counter() - began, usage.ru_maxrss, json.loads(out)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    given = parser.parse_args()
    print(
        f"{platform.platform()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"
    )
    print(
        ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "torch", "sqlalchemy"))
    )
    with tempfile.TemporaryDirectory() as home:
        for arguments in (("import", given.file), ("train",), ("publish",)):
            seconds, peak, report = stage(home, *arguments)
            print(f"| {arguments[0]} | {seconds:.1f} s | {peak / 1024:,.0f} MB |")
            print(json.dumps(report)[:1500])
        print(json.dumps(stage(home, "status")[2])[:800])
        for query in QUERIES:
            seconds, peak, report = stage(home, "search", query)
            print(f"| {query} | {seconds:.1f} s (whole process) | {peak / 1024:,.0f} MB |")
            for row in report["results"][:5]:  # type: ignore[index]
                print("   ", row["title"], row["year"], "; ".join(row["reasons"]))
    print("peak of this script", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "MB")


if __name__ == "__main__":
    main()
