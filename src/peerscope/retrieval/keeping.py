"""Towers as files: ``towers.json``, ``towers.safetensors`` and, with an encoder, the folder ``encoder``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from peerscope.retrieval.embed import Bag
from peerscope.retrieval.encoder import Encoder, EncoderError, load_encoder
from peerscope.retrieval.front import Front
from peerscope.retrieval.text import Tokenizer
from peerscope.retrieval.towers import Categories, History, Tower, TwoTowers

FORMAT = 2


def save_towers(towers: TwoTowers, folder: Path) -> None:
    """Write the towers into a folder; term vectors in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = towers.front.arrays()
    named = [(f"query{place}", head) for place, head in enumerate(towers.query)]
    for name, tower in [*named, ("item", towers.item)]:
        arrays |= _tower_arrays(name, tower)
    for kind, categories in (("profile", towers.profile), ("fields", towers.fields)):
        for name, found in categories.items():
            arrays[f"{kind}.{name}"] = np.ascontiguousarray(found.table)
    save_file(arrays, folder / "towers.safetensors")
    front = towers.front
    if front.encoder is not None:
        front.encoder.save(folder / "encoder")
    stated = {
        "format": FORMAT,
        "tokenizer": front.tokenizer.to_dict(),
        "dim": towers.dim,
        "heads": towers.heads,
        "layers": {"query": len(towers.query[0].layers), "item": len(towers.item.layers)},
        "last_relu": towers.item.last_relu,
        "plain": front.bag.plain,
        "taught": front.bag.taught,
        "encoder": None if front.encoder is None else front.encoder.fingerprint,
        "share": front.share,
        "history": [towers.history.kind, towers.history.most, towers.history.temperature],
        "beta": towers.beta,
        "titles_only": towers.titles_only,
        "profile": [[name, list(found.values)] for name, found in towers.profile.items()],
        "fields": [[name, list(found.values)] for name, found in towers.fields.items()],
    }
    (folder / "towers.json").write_bytes(orjson.dumps(stated, option=orjson.OPT_INDENT_2))


def load_towers(folder: Path) -> TwoTowers:
    """Read what `save_towers` wrote.

    Raises:
        ValueError: The folder was written by another version, or its encoder is missing or changed; the
            message says to train again.
    """
    stated = orjson.loads((folder / "towers.json").read_bytes())
    if stated["format"] != FORMAT:
        raise ValueError(
            f"The towers in {folder} have format {stated['format']}, this version reads {FORMAT}: "
            f"train again."
        )
    arrays = load_file(folder / "towers.safetensors")
    table = arrays["table"].astype(np.float32)
    bag = Bag(
        arrays["vocabulary"], arrays["idf"], table, stated["plain"], stated.get("taught", False)
    )
    encoder = _encoder(folder, stated["encoder"])
    tokenizer = Tokenizer.from_dict(stated["tokenizer"])
    layers, last_relu = stated["layers"], stated["last_relu"]
    return TwoTowers(
        Front(tokenizer, bag, encoder, stated["share"], arrays.get("basis")),
        tuple(
            _tower(arrays, f"query{n}", layers["query"], last_relu) for n in range(stated["heads"])
        ),
        _tower(arrays, "item", layers["item"], last_relu),
        History(*stated["history"]),
        _categories(arrays, stated, "profile"),
        _categories(arrays, stated, "fields"),
        stated["beta"],
        stated["titles_only"],
    )


def _encoder(folder: Path, fingerprint: str | None) -> Encoder | None:
    if fingerprint is None:
        return None
    encoder = load_encoder(folder / "encoder")
    if encoder.fingerprint != fingerprint:
        raise EncoderError(
            f"The towers in {folder} were trained with another encoder than lies beside them: train again."
        )
    return encoder


def _tower_arrays(name: str, tower: Tower) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for place, (weight, bias) in enumerate(tower.layers):
        arrays[f"{name}.weight{place}"] = np.ascontiguousarray(weight)
        arrays[f"{name}.bias{place}"] = np.ascontiguousarray(bias)
    if tower.linear is not None:
        arrays[f"{name}.linear"] = np.ascontiguousarray(tower.linear)
    return arrays


def _tower(arrays: dict[str, NDArray[Any]], name: str, layers: int, last_relu: bool) -> Tower:
    parts = tuple((arrays[f"{name}.weight{n}"], arrays[f"{name}.bias{n}"]) for n in range(layers))
    return Tower(parts, arrays.get(f"{name}.linear"), last_relu)


def _categories(
    arrays: dict[str, NDArray[Any]], stated: dict[str, Any], kind: str
) -> dict[str, Categories]:
    return {
        name: Categories(tuple(values), arrays[f"{kind}.{name}"]) for name, values in stated[kind]
    }
