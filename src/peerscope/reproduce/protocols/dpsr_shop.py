"""Amazon ESCI as a shop: products, queries, and labels (exact, substitute, complement, irrelevant)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.dpsr_ranks import area
from peerscope.reproduce.protocols.shared_files import objects, shared
from peerscope.retrieval import Item
from peerscope.retrieval.schema import FloatArray

FIELDS = ("brand", "color")


@dataclass(frozen=True, slots=True)
class Shop:
    """Products, queries, and the label of each judged pair by the product's place.

    Attributes:
        items: The products; the id of the product at place ``n`` is ``n + 1``.
        queries: Text by id, of those with labels.
        labels: Query to place to E, S, C or I.
    """

    items: list[Item]
    queries: dict[str, str]
    labels: dict[str, dict[int, str]]

    def halves(self) -> Iterator[tuple[list[str], list[str]]]:
        """Queries that teach and queries that are judged, both ways; a hash of the text decides."""
        part = {
            query: blake2b(text.encode(), digest_size=4).digest()[0] % 2
            for query, text in self.queries.items()
        }
        for number in (0, 1):
            yield (
                [query for query, half in part.items() if half == number],
                [query for query, half in part.items() if half != number],
            )

    def area(self, scores: Mapping[str, FloatArray]) -> float:
        """Area under the curve over all labelled pairs at once, E and S against I."""
        pairs = [(scores[q][n], label) for q in scores for n, label in self.labels[q].items()]
        good = np.asarray([score for score, label in pairs if label in "ES"])
        return area(good, np.asarray([score for score, label in pairs if label == "I"]))


def esci(trial: Trial) -> Shop:
    """The collection; the profile's ``products`` says how many, the judged ones first.

    Raises:
        MissingData: A file is not on this machine.
    """
    files = [
        shared("ecommerce", "esci150", name)
        for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv")
    ]
    trial.data("ESCI", *(np.frombuffer(path.read_bytes(), np.uint8) for path in files))
    products = list(objects(files[0]))[: int(trial["products"])]
    place = {product["_id"]: number for number, product in enumerate(products)}
    items = [
        Item(
            number + 1,
            product["title"],
            fields={name: (str(product[name]),) for name in FIELDS if product.get(name)},
        )
        for number, product in enumerate(products)
    ]
    labels: dict[str, dict[int, str]] = {}
    for line in files[2].read_text("utf-8").splitlines()[1:]:
        query, product, _, label = line.split("\t")
        if product in place:
            labels.setdefault(query, {})[place[product]] = label
    texts = {one["_id"]: one["text"] for one in map(json.loads, files[1].open(encoding="utf-8"))}
    return Shop(items, {query: texts[query] for query in texts if query in labels}, labels)
