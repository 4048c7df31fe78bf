"""The sentence encoder: what precision and length cost in quality and save in time.

    python benchmarks/encoder.py cranfield cacm

Every system encodes a whole judged collection and its queries; cosines are compared exactly. Texts a second
are per second of one processor core (process time), so that other work on the machine counts little. Memory
is that of a fresh process which loads a saved encoder and encodes 200 texts. Nothing is random: no seed.
Needs the shared data (PEERSCOPE_SHARED), the extras ``encoder`` and ``learn`` and the weights' package.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from peerscope.retrieval import encoder as encoding
from peerscope.retrieval.encoder import SentenceEncoder, installed_encoder
from peerscope.retrieval.encoder_source import TOKENIZER, WEIGHTS, installed_folder
from peerscope.retrieval.metrics import ndcg

SHARED = Path(os.environ.get("PEERSCOPE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
LENGTHS = (256, 128, 96, 64)
Encode = Callable[[Sequence[str]], np.ndarray]

MEMORY = """
import sys
from pathlib import Path
from peerscope.retrieval.encoder import load_encoder
def held():
    lines = Path("/proc/self/status").read_text().splitlines()
    return [int(line.split()[1]) / 1024 for line in lines if line.startswith(("RssAnon", "VmRSS"))]
before = held()
encoder = load_encoder(Path(sys.argv[1]))
encoder.encode(["one query"])
loaded = held()
encoder.encode(Path(sys.argv[2]).read_text().split("\\x1e")[:200])
print(*before, *loaded, *held())
"""


class Collection:
    """A judged collection in BEIR layout."""

    def __init__(self, name: str) -> None:
        folder = SHARED / "data" / "bench" / name
        docs = [json.loads(line) for line in (folder / "corpus.jsonl").open()]
        place = {doc["_id"]: number for number, doc in enumerate(docs)}
        self.texts = [self._text(doc) for doc in docs]
        self.grades: dict[str, dict[int, float]] = {}
        for line in (folder / "qrels.tsv").open():
            query, doc, grade = line.rstrip("\n").split("\t")[:3]
            if grade.lstrip("-").isdigit():
                self.grades.setdefault(query, {})[place[doc]] = float(grade)
        asked = [json.loads(line) for line in (folder / "queries.jsonl").open()]
        self.queries = {
            one["_id"]: one["text"]
            for one in asked
            if any(grade > 0 for grade in self.grades.get(one["_id"], {}).values())
        }

    @staticmethod
    def _text(doc: dict[str, str]) -> str:
        title, text = doc.get("title") or "", doc.get("text") or ""
        text = text.removeprefix(title).strip()
        return f"{title}\n{text}" if text else title


def torch_bf16(encoder: SentenceEncoder) -> Encode:
    """The same model in PyTorch, bfloat16, one thread, the same batches."""
    import torch
    from safetensors.torch import load_file
    from torch.nn import functional

    torch.set_num_threads(1)
    folder = installed_folder()
    assert folder is not None
    w = {
        k: v.to(torch.bfloat16)
        for k, v in load_file(folder / WEIGHTS).items()
        if v.is_floating_point()
    }

    def dense(x, name):  # type: ignore[no-untyped-def]
        return functional.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def normal(x, name):  # type: ignore[no-untyped-def]
        return functional.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], 1e-12)

    @torch.inference_mode()
    def run(tokens: Sequence[list[int]]) -> np.ndarray:
        ids = torch.zeros((len(tokens), len(tokens[0])), dtype=torch.long)
        mask = torch.zeros(ids.shape, dtype=torch.bool)
        for row, own in enumerate(tokens):
            ids[row, : len(own)], mask[row, : len(own)] = torch.tensor(own), True
        n, m = ids.shape
        x = (
            w["embeddings.word_embeddings.weight"][ids]
            + w["embeddings.position_embeddings.weight"][:m]
        )
        x = normal(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(6):
            at = f"encoder.layer.{layer}"
            q, k, v = (
                dense(x, f"{at}.attention.self.{part}").view(n, m, 12, 32).transpose(1, 2)
                for part in ("query", "key", "value")
            )
            found = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None])
            found = dense(found.transpose(1, 2).reshape(n, m, 384), f"{at}.attention.output.dense")
            x = normal(x + found, f"{at}.attention.output.LayerNorm")
            inner = functional.gelu(dense(x, f"{at}.intermediate.dense"))
            x = normal(x + dense(inner, f"{at}.output.dense"), f"{at}.output.LayerNorm")
        pooled = (x.float() * mask[:, :, None]).sum(1)
        return functional.normalize(pooled, dim=1).numpy()

    def encode(texts: Sequence[str]) -> np.ndarray:
        encoder._run = run  # type: ignore[method-assign, assignment]
        return encoder.encode(texts)

    return encode


def one_step_a_batch(exact: SentenceEncoder) -> Encode:
    """ONNX Runtime's own dynamic quantisation of the same graph, per channel, all its optimisations."""
    import onnx
    import onnxruntime
    from onnxruntime.quantization import quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        quantize_dynamic(
            onnx.load_from_string(bytes(exact._graph)),
            f"{folder}/q.onnx",
            per_channel=True,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        graph = Path(f"{folder}/q.onnx").read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    exact._session = onnxruntime.InferenceSession(
        graph, options, providers=["CPUExecutionProvider"]
    )
    return exact.encode


def systems(tokens: int) -> dict[str, Encode]:
    def made(**settings: bool) -> SentenceEncoder:
        found = installed_encoder(max_tokens=tokens, **settings)
        assert found is not None
        return found

    return {
        "single precision": made(integers=False).encode,
        "bfloat16, PyTorch": torch_bf16(made(integers=False)),
        "int8 per channel, a step a batch": one_step_a_batch(made(integers=False)),
        "integers, a step a token": made().encode,
    }


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def measured(name: str, lengths: Sequence[int]) -> None:
    collection = Collection(name)
    keys = list(collection.queries)
    asked = [collection.queries[key] for key in keys]
    whole: np.ndarray | None = None
    print(f"\n{name}: {len(collection.texts):,} texts, {len(keys)} queries")
    print("| tokens | system | texts a core-second | ms a query | nDCG@10 | against the model | "
          "same top 10 | lowest cosine, alone and in a batch |")  # fmt: skip
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for tokens in lengths:
        exact: np.ndarray | None = None
        for label, encode in systems(tokens).items():
            encode(asked[:20])
            found: list[np.ndarray] = []
            spent = seconds(lambda e=encode, f=found: f.append(e(collection.texts)))
            singly: list[np.ndarray] = []
            waited = [seconds(lambda e=encode, s=singly, q=q: s.append(e([q])[0])) for q in asked]
            scores = np.stack(singly) @ found[0].T
            order = np.argsort(-scores, axis=1, kind="stable")[:, :10]
            reached = np.asarray([
                ndcg([int(n) for n in order[row]], collection.grades[key])
                for row, key in enumerate(keys)
            ])  # fmt: skip
            exact = order if exact is None else exact
            whole = reached if whole is None else whole
            same = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(order, exact, strict=True)])
            gap = reached - whole
            few = range(0, len(collection.texts), max(1, len(collection.texts) // 40))
            alone = min(float(encode([collection.texts[n]])[0] @ found[0][n]) for n in few
                        if found[0][n].any())  # fmt: skip
            print(f"| {tokens} | {label} | {len(collection.texts) / spent:.0f} | "
                  f"{1000 * np.median(waited):.1f} | {reached.mean():.4f} | "
                  f"{gap.mean():+.4f} ± {gap.std(ddof=1) / len(gap) ** 0.5:.4f} | {same:.3f} | "
                  f"{alone:.4f} |", flush=True)  # fmt: skip


def sorting(name: str) -> None:
    """What sorting by length saves: the same batches of eight in the collection's order."""
    texts = Collection(name).texts
    encoder = installed_encoder()
    assert encoder is not None
    ordered = seconds(lambda: encoder.encode(texts))
    given = seconds(lambda: [encoder.encode(texts[n : n + 8]) for n in range(0, len(texts), 8)])
    tokens = sum(len(encoder._tokens(text)) for text in texts) / len(texts)
    print(f"{name}: {tokens:.0f} tokens a text after cutting; texts a core-second sorted by length "
          f"{len(texts) / ordered:.0f}, in the given order {len(texts) / given:.0f}")  # fmt: skip


def memory(name: str) -> None:
    encoder = installed_encoder()
    assert encoder is not None
    with tempfile.TemporaryDirectory() as folder:
        kept, texts = Path(folder) / "encoder", Path(folder) / "texts"
        encoder.save(kept)
        texts.write_text("\x1e".join(Collection(name).texts))
        size = sum(path.stat().st_size for path in kept.iterdir()) / 1e6
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(kept), str(texts)], capture_output=True, check=True
        )
        rss, own, rss1, own1, rss2, own2 = map(float, done.stdout.split())
    print(f"saved: {size:.0f} MB. Loaded: +{own1 - own:.0f} MB own memory, +{rss1 - rss - own1 + own:.0f} MB "
          f"mapped; after 200 texts +{own2 - own:.0f} MB, +{rss2 - rss - own2 + own:.0f} MB")  # fmt: skip


def main() -> None:
    logging.disable(logging.WARNING)  # the quantisation library's advice
    parser = argparse.ArgumentParser()
    parser.add_argument("collections", nargs="+")
    parser.add_argument("--tokens", type=int, nargs="+", default=LENGTHS)
    given = parser.parse_args()
    packages = ("onnxruntime", "tokenizers", "onnx", "numpy", "torch")
    print(f"{platform.platform()}, Python {platform.python_version()}, "
          + ", ".join(f"{name} {version(name)}" for name in packages))  # fmt: skip
    print(
        f"default: {encoding.MAX_TOKENS} tokens, batches of {encoding.BATCH_TOKENS} tokens, {TOKENIZER}"
    )
    for name in given.collections:
        sorting(name)
        measured(name, given.tokens)
    memory(given.collections[0])


if __name__ == "__main__":
    main()
