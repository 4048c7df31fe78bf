"""A small catalogue that is made here: three kinds of things, users who keep to one of them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

KINDS = {
    "lamp": "light bulb shade bright reading desk glow switch dim candle",
    "chair": "seat wooden cushion backrest armrest dining sitting leather stool legs",
    "kettle": "water boil tea steel litre electric spout steam pour handle",
}
COLOURS = ("red", "blue", "green", "black", "white")


def shop_rows(number: int = 240, seed: int = 0) -> tuple[list[dict[str, Any]], ...]:
    """Items, users and interactions."""
    draw = random.Random(seed)
    items, users, events = [], [], []
    for place in range(number):
        kind = list(KINDS)[place % 3]
        words = KINDS[kind].split()
        text = ". ".join(" ".join(draw.choices(words, k=8)) for _ in range(4))
        colour = draw.choice(COLOURS)
        items.append(
            {"id": f"sku-{place}", "title": f"{colour} {kind} {draw.choice(words)} no {place}",
             "text": text, "colour": colour, "sizes": ["s", "m"][: place % 3], "stock": place % 5}
        )  # fmt: skip
    of_kind = {kind: items[place::3] for place, kind in enumerate(KINDS)}
    for place in range(60):
        kind = list(KINDS)[place % 3]
        met = draw.sample(of_kind[kind], 3)
        users.append({"id": place, "history": [item["id"] for item in met], "likes": kind})
        for step in range(12):
            item = draw.choice(of_kind[kind])
            words = [item["colour"], *draw.sample(KINDS[kind].split(), 2)]
            events.append(
                {"query": " ".join(words[: 1 + step % 3]), "item_id": item["id"], "user_id": place,
                 "time": 1000 * step + place, "weight": 1.0, "kind": "click"}
            )  # fmt: skip
    return items, users, events


def write_shop(
    folder: Path, write_rows: Any, suffix: str = ".parquet", number: int = 240
) -> list[Path]:
    """The three files of a shop."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("items", "users", "interactions")
    rows = shop_rows(number)
    return [write_rows(folder / f"{n}{suffix}", r) for n, r in zip(names, rows, strict=True)]
