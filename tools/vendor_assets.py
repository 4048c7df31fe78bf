"""Derives the JavaScript libraries that the site ships from npm's packages, and compares.

    python tools/vendor_assets.py            compare what is committed with what npm gives
    python tools/vendor_assets.py --write    write it anew, after a change of PACKAGES

The manifest beside the files names for each package its version and npm's checksum of the tarball, and for
each file its SHA-256. Needs Node's npm; nobody who only installs Peerscope does.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "src" / "peerscope" / "web" / "static" / "vendor"
MANIFEST = "manifest.json"

PACKAGES: list[dict[str, Any]] = [
    {
        "name": "sigma",
        "version": "3.0.3",
        "licence": "MIT",
        "files": {
            "sigma.min.js": "dist/sigma.min.js",
            "sigma.LICENSE.txt": "LICENSE.txt",
        },
    },
    {
        "name": "graphology",
        "version": "0.26.0",
        "licence": "MIT",
        "files": {
            "graphology.umd.min.js": "dist/graphology.umd.min.js",
            "graphology.LICENSE.txt": "LICENSE.txt",
        },
    },
    # The two below are inside the files above, which hold them without their licences.
    {
        "name": "graphology-utils",
        "version": "2.5.2",
        "licence": "MIT",
        "files": {"graphology-utils.LICENSE.txt": "LICENSE.txt"},
    },
    {
        "name": "events",
        "version": "3.3.0",
        "licence": "MIT",
        "files": {"events.LICENSE.txt": "LICENSE"},
    },
]


def derived(package: dict[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A package's entry in the manifest and its files, as npm gives them.

    Raises:
        subprocess.CalledProcessError: npm could not give the package.
        KeyError: The package holds no such file.
    """
    with tempfile.TemporaryDirectory() as folder:
        wanted = f"{package['name']}@{package['version']}"
        subprocess.run(
            ["npm", "pack", "--silent", "--pack-destination", folder, wanted],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (tarball,) = Path(folder).glob("*.tgz")
        digest = hashlib.sha512(tarball.read_bytes()).digest()
        with tarfile.open(tarball) as archive:
            contents = {}
            for name, place in package["files"].items():
                member = archive.extractfile(f"package/{place}")
                if member is None:
                    raise KeyError(place)
                contents[name] = member.read()
    entry = package | {
        "integrity": "sha512-" + base64.b64encode(digest).decode(),
        "files": {
            name: {"from": place, "sha256": hashlib.sha256(contents[name]).hexdigest()}
            for name, place in package["files"].items()
        },
    }
    return entry, contents


def main() -> int:
    """Compare or write; 1 if something differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the files and the manifest")
    write = parser.parse_args().write
    entries, files = [], {}
    for package in PACKAGES:
        entry, contents = derived(package)
        entries.append(entry)
        files |= contents
    files[MANIFEST] = (json.dumps({"packages": entries}, indent=2) + "\n").encode()
    if write:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (FOLDER / name).write_bytes(content)
    present = {one.name: one.read_bytes() for one in FOLDER.iterdir()}
    differing = sorted(
        name for name in files.keys() | present.keys() if files.get(name) != present.get(name)
    )
    for name in differing:
        print(f"{name} differs from what npm gives, or is only on one side.")
    print(f"{len(files) - len(differing)} of {len(files)} files are as npm gives them.")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
