"""A frozen sentence encoder as the front of the towers: text in, unit vectors out, without PyTorch.

One route for everything: a catalogue is encoded by the same graph as a query, in ONNX Runtime. The graph is
made once from the weights (`encoder_graph`); what `save` writes is complete, so that a bundle needs neither
the weights' package nor the package ``onnx``.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson

from peerscope.retrieval.encoder_graph import BertShape, bert_graph
from peerscope.retrieval.encoder_source import (
    CONFIG,
    POOLING,
    TOKENIZER,
    WEIGHTS,
    EncoderError,
    checked_hashes,
    file_hash,
    installed_folder,
)
from peerscope.retrieval.schema import FloatArray

__all__ = ["Encoder", "EncoderError", "SentenceEncoder", "installed_encoder", "load_encoder"]

FORMAT = 1
STATED, GRAPH = "encoder.json", "encoder.onnx"

MAX_TOKENS = 128
"""Tokens of a text that are read. More gained nothing on judged collections, fewer lost (docs/benchmarks)."""

BATCH_TOKENS = 1024
"""Tokens of a batch, padding included; larger batches leave the processor's cache."""

CHUNK = 4096
"""Texts tokenised and sorted by length at a time."""

MOST_CHARACTERS = 50_000
"""A text is cut here before it is tokenised, so that a huge one costs no more than a long one."""

PROBE = "Which results of this text can be found again by other words?"
AGREEMENT = 0.995
"""Cosine that a machine's own vector of the probe must reach with the vector stored beside the graph."""

NEEDS = ("onnxruntime", "tokenizers")
BUILDS = (*NEEDS, "onnx")

Progress = Callable[[str, int, int | None], None]


class Encoder(Protocol):
    """What the towers need of an encoder."""

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of weights and settings; two encoders with the same one give the same vectors."""
        ...

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> FloatArray:
        """Unit vectors, shape ``[len(texts), dim]``; zeros for a text without a known token."""
        ...

    def save(self, folder: Path) -> None:
        """Write everything that `load_encoder` needs into a folder."""
        ...


class SentenceEncoder:
    """An encoder of the BERT family in ONNX Runtime; many threads may share one.

    Args:
        graph: The serialised graph, or the file that holds it.
        tokenizer: The text of ``tokenizer.json``.
        stated: What ``encoder.json`` says.
        threads: Threads of one call.

    Raises:
        EncoderError: This machine's arithmetic gives other vectors than the one that made the graph.
    """

    def __init__(
        self, graph: bytes | Path, tokenizer: bytes, stated: dict[str, Any], threads: int = 1
    ) -> None:
        self.dim = int(stated["dim"])
        self.fingerprint = str(stated["fingerprint"])
        self._stated, self._tokenizer_text = stated, tokenizer
        self._graph = _mapped(graph) if isinstance(graph, Path) else graph
        self._session = _session(graph, threads)
        self._tokenizer = _tokenizer(tokenizer, int(stated["max_tokens"]))
        marks = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
        self._marks = {self._tokenizer.token_to_id(mark) for mark in marks} - {None}
        self._agree()

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> FloatArray:
        """Unit vectors, shape ``[len(texts), dim]``; zeros for a text without a known token."""
        report = progress or (lambda stage, done, total: None)
        found = np.zeros((len(texts), self.dim), np.float32)
        done = 0
        for start in range(0, len(texts), CHUNK):
            tokens = [self._tokens(text) for text in texts[start : start + CHUNK]]
            order = sorted(range(len(tokens)), key=lambda place: -len(tokens[place]))
            while order:
                number = max(1, BATCH_TOKENS // max(len(tokens[order[0]]), 1))
                batch, order = order[:number], order[number:]
                known = [place for place in batch if tokens[place]]
                if known:
                    rows = np.asarray(known) + start
                    found[rows] = self._run([tokens[place] for place in known])
                done += len(batch)
                report("encoding texts", done, len(texts))
        return found

    def save(self, folder: Path) -> None:
        """Write ``encoder.onnx``, ``tokenizer.json`` and, last, ``encoder.json`` with their hashes."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / GRAPH).write_bytes(self._graph)
        (folder / TOKENIZER).write_bytes(self._tokenizer_text)
        files = {name: file_hash(folder / name) for name in (GRAPH, TOKENIZER)}
        said = orjson.dumps({**self._stated, "files": files}, option=orjson.OPT_INDENT_2)
        (folder / STATED).write_bytes(said)

    def _tokens(self, text: str) -> list[int]:
        """Token ids of a text, none if it has no known token."""
        cut = text[:MOST_CHARACTERS].encode("utf-8", "replace").decode()
        ids: list[int] = self._tokenizer.encode(cut).ids
        return [] if self._marks.issuperset(ids) else ids

    def _run(self, tokens: Sequence[list[int]]) -> FloatArray:
        """Vectors of tokenised texts, the longest first."""
        ids = np.zeros((len(tokens), len(tokens[0])), np.int32)
        mask = np.zeros_like(ids)
        for row, own in enumerate(tokens):
            ids[row, : len(own)] = own
            mask[row, : len(own)] = 1
        vectors: FloatArray = self._session.run(None, {"ids": ids, "mask": mask})[0]
        return vectors

    def _agree(self) -> None:
        own = self.encode([PROBE])[0]
        stored = self._stated.setdefault("probe", own.tolist())
        agreement = float(own @ np.asarray(stored, np.float32))
        if not agreement >= AGREEMENT:
            raise EncoderError(
                f"This machine's vectors are not those of the machine that made the encoder (cosine "
                f"{agreement:.3f}). Train and publish on this machine."
            )


def installed_encoder(
    setting: str = "auto", *, max_tokens: int = MAX_TOKENS, integers: bool = True, threads: int = 1
) -> SentenceEncoder | None:
    """The encoder that the setting names.

    Args:
        setting: ``auto``, the installed package if there is one; ``none``; or a folder, in the form of
            sentence-transformers or as `SentenceEncoder.save` wrote it.
        max_tokens: Tokens of a text that are read, 3 or more.
        integers: Compute matrix products in integers; otherwise in single precision.
        threads: Threads of one call.

    Raises:
        EncoderError: What is named is missing, was changed, or has a form that is not read here.
    """
    if setting in ("none", ""):
        return None
    if setting == "auto":
        folder = installed_folder()
        if folder is None or _missing(BUILDS):
            return None
    else:
        folder = Path(setting)
        if not folder.is_dir():
            raise EncoderError(f"PEERSCOPE_ENCODER names {setting}, and there is no such folder.")
        if (folder / STATED).is_file():
            return load_encoder(folder, threads=threads)
    if missing := _missing(BUILDS):
        raise EncoderError(
            f"The encoder in {folder} needs {' and '.join(missing)}: pip install 'peerscope[encoder]'"
        )
    return _made(folder, max_tokens, integers, threads)


def load_encoder(folder: Path, *, threads: int = 1) -> SentenceEncoder:
    """Read what `SentenceEncoder.save` wrote.

    Raises:
        EncoderError: A file is missing or was changed, or another version wrote it.
    """
    try:
        stated = orjson.loads((folder / STATED).read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise EncoderError(f"There is no readable {STATED} in {folder}.") from error
    if not isinstance(stated, dict) or stated.get("format") != FORMAT:
        raise EncoderError(
            f"The encoder in {folder} was written by another version: train and publish again."
        )
    if missing := _missing(NEEDS):
        raise EncoderError(
            f"The encoder in {folder} needs {' and '.join(missing)}: pip install 'peerscope[encoder]'"
        )
    for name, expected in stated.pop("files", {GRAPH: "", TOKENIZER: ""}).items():
        if file_hash(folder / name) != expected:
            raise EncoderError(f"{folder / name} was changed: train and publish again.")
    return SentenceEncoder(folder / GRAPH, (folder / TOKENIZER).read_bytes(), stated, threads)


def _made(folder: Path, max_tokens: int, integers: bool, threads: int) -> SentenceEncoder:
    """An encoder from a sentence-transformers folder."""
    from safetensors.numpy import load_file

    hashes = checked_hashes(folder)
    try:
        shape = BertShape.stated(
            orjson.loads((folder / CONFIG).read_bytes()),
            orjson.loads((folder / POOLING).read_bytes()),
        )
        weights = load_file(folder / WEIGHTS)
        graph = bert_graph(weights, shape) if integers else bert_graph(weights, shape, None)
    except (ValueError, KeyError) as error:
        raise EncoderError(f"The encoder in {folder} is not read here: {error}.") from error
    settings = {
        "format": FORMAT,
        "max_tokens": min(max_tokens, shape.positions),
        "integers": integers,
        "source": hashes,
    }
    fingerprint = sha256(orjson.dumps(settings, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    stated = {**settings, "dim": shape.width, "fingerprint": fingerprint}
    return SentenceEncoder(graph, (folder / TOKENIZER).read_bytes(), stated, threads)


def _missing(packages: Sequence[str]) -> list[str]:
    return [name for name in packages if find_spec(name) is None]


def _mapped(path: Path) -> mmap.mmap:
    """The file's bytes without reading them; they stay readable if the file is removed."""
    with path.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def _session(graph: bytes | Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # The further levels fuse additions with normalisations, which is slower (see encoder_graph).
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    source = graph if isinstance(graph, bytes) else str(graph)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _tokenizer(text: bytes, max_tokens: int) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_buffer(text)
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer
