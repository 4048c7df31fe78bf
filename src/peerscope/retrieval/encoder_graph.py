"""A BERT encoder (Devlin et al. 2019) as an ONNX graph, made from its weights without PyTorch.

Text in as token ids, one unit vector out: the mean of the last layer over the tokens, or the first token, as
the model was trained. Matrix products take integers: a weight's step is its column's, an activation's step is
its token's and found while the graph runs, so that the vector of a text does not depend on the texts beside
it (one step for a whole batch, the usual dynamic quantisation, makes it depend). Additions and
normalisations stand apart because ONNX Runtime's fusion of the two is four times slower than both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peerscope.retrieval.schema import FloatArray

WEIGHT_STEPS = 63
"""Steps from 0 to a column's largest weight. Seven bits: on x86 without VNNI two products are added in 16
bits, which 255 * 63 * 2 does not overflow, so that every machine computes the same vectors."""

ACTIVATION_STEPS, ZERO = 127, 128
OPSET, IR_VERSION = 21, 10
CONTRIBUTED = "com.microsoft"
LEAST = np.float32(1e-9)
"""Keeps a token whose activations are all zero from a division by zero."""


@dataclass(frozen=True, slots=True)
class BertShape:
    """What a model's configuration says.

    Attributes:
        width: Length of the vectors, a multiple of ``heads``.
        layers: Number of layers.
        heads: Attention heads of a layer.
        positions: Tokens of a text at most.
        epsilon: Of the layer normalisations.
        pooling: ``mean`` over the tokens, or ``cls``, the first one.
    """

    width: int
    layers: int
    heads: int
    positions: int
    epsilon: float
    pooling: str

    @classmethod
    def stated(cls, config: Mapping[str, Any], pooling: Mapping[str, Any]) -> BertShape:
        """Read ``config.json`` and ``1_Pooling/config.json`` of a sentence-transformers folder.

        Raises:
            ValueError: It is no BERT with absolute positions and exact GELU, or pools in another way.
        """
        expected = {
            "model_type": "bert",
            "hidden_act": "gelu",
            "position_embedding_type": "absolute",
        }
        for name, value in expected.items():
            if config.get(name, value) != value:
                raise ValueError(f"{name} is {config[name]!r}; only {value!r} is supported")
        ways = [name for name in sorted(pooling) if pooling[name] is True]
        known = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
        if len(ways) != 1 or ways[0] not in known:
            raise ValueError(f"it pools by {ways}; mean of the tokens or first token is supported")
        return cls(
            int(config["hidden_size"]),
            int(config["num_hidden_layers"]),
            int(config["num_attention_heads"]),
            int(config["max_position_embeddings"]),
            float(config.get("layer_norm_eps", 1e-12)),
            known[ways[0]],
        )


def bert_graph(
    weights: Mapping[str, FloatArray], shape: BertShape, steps: int | None = WEIGHT_STEPS
) -> bytes:
    """The serialised graph: ``ids`` and ``mask`` int32 ``[texts, tokens]`` to ``vectors`` ``[texts, width]``.

    Args:
        weights: Tensors by their names in ``model.safetensors``.
        shape: The model's shape.
        steps: Steps of the integer weights; ``None`` keeps single precision throughout.

    Raises:
        KeyError: A tensor is missing.
        ModuleNotFoundError: The package ``onnx`` is not installed.
    """
    graph = _Graph(weights, shape, steps)
    states = graph.embedded()
    for layer in range(shape.layers):
        states = graph.layer(states, f"encoder.layer.{layer}.")
    graph.pooled(states)
    return graph.serialised()


class _Graph:
    """The nodes and constants so far; a method adds nodes and returns the name of the last one's output."""

    def __init__(
        self, weights: Mapping[str, FloatArray], shape: BertShape, steps: int | None
    ) -> None:
        self._weights, self._shape, self._steps = weights, shape, steps
        self._nodes: list[Any] = []
        self._constants: dict[str, NDArray[Any]] = {}

    def embedded(self) -> str:
        """Word, position and type embeddings, normalised; words are stored in half precision."""
        table = self._weights["embeddings.word_embeddings.weight"].astype(np.float16)
        rows = self._node("Gather", [self._constant("words", table), "ids"])
        words = self._node("Cast", [rows], to=_float32())
        places = self._weights["embeddings.position_embeddings.weight"]
        first_type = self._weights["embeddings.token_type_embeddings.weight"][0]
        tokens = self._node("Shape", ["ids"], start=1, end=2)
        axis = self._constant("zero", np.array([0]))
        positions = self._constant("positions", places[: self._shape.positions] + first_type)
        here = self._node("Slice", [positions, axis, tokens, axis])
        return self._normalised(self._node("Add", [words, here]), "embeddings.LayerNorm")

    def layer(self, states: str, prefix: str) -> str:
        """One layer: attention and perceptron, each added to its input and normalised."""
        attention = [f"{prefix}attention.self.{part}" for part in ("query", "key", "value")]
        weight = np.concatenate([self._weights[f"{name}.weight"].T for name in attention], axis=1)
        bias = np.concatenate([self._weights[f"{name}.bias"] for name in attention])
        joined = self._product(states, f"{prefix}attention.self", weight)
        self._node("Split", [joined], attention, axis=-1, num_outputs=3)
        context = self._node(
            "MultiHeadAttention",
            [*attention, self._constant(f"{prefix}attention.self.bias", bias), "mask"],
            domain=CONTRIBUTED,
            num_heads=self._shape.heads,
        )
        states = self._added(states, context, f"{prefix}attention.output")
        name = f"{prefix}intermediate.dense"
        inner = self._product(states, name, self._weights[f"{name}.weight"].T)
        bias_name = self._constant(f"{name}.bias", self._weights[f"{name}.bias"])
        inner = self._node("BiasGelu", [inner, bias_name], domain=CONTRIBUTED)
        return self._added(states, inner, f"{prefix}output")

    def pooled(self, states: str) -> None:
        """The text's vector, of unit length: the last node of the graph."""
        axis = self._constant("one", np.array([1]))
        if self._shape.pooling == "cls":
            vectors = self._node("Gather", [states, self._constant("first", np.array(0))], axis=1)
        else:
            mask = self._node("Cast", ["mask"], to=_float32())
            summed = self._node("MatMul", [self._node("Unsqueeze", [mask, axis]), states])
            vectors = self._node("Squeeze", [summed, axis])
        self._node("LpNormalization", [vectors], ["vectors"], axis=-1, p=2)

    def serialised(self) -> bytes:
        """The whole model as bytes."""
        from onnx import TensorProto, helper, numpy_helper

        integers = [
            helper.make_tensor_value_info(name, TensorProto.INT32, ["texts", "tokens"])
            for name in ("ids", "mask")
        ]
        vectors = helper.make_tensor_value_info(
            "vectors", TensorProto.FLOAT, ["texts", self._shape.width]
        )
        constants = [
            numpy_helper.from_array(np.asarray(value, order="C"), name)
            for name, value in self._constants.items()
        ]
        graph = helper.make_graph(self._nodes, "encoder", integers, [vectors], constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIBUTED, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        found: bytes = model.SerializeToString()
        return found

    def _added(self, states: str, inner: str, name: str) -> str:
        """A dense layer's output added to the states and normalised."""
        found = self._product(inner, f"{name}.dense", self._weights[f"{name}.dense.weight"].T)
        bias = self._constant(f"{name}.dense.bias", self._weights[f"{name}.dense.bias"])
        found = self._node("Add", [self._node("Add", [found, bias]), states])
        return self._normalised(found, f"{name}.LayerNorm")

    def _normalised(self, states: str, name: str) -> str:
        gain = self._constant(f"{name}.weight", self._weights[f"{name}.weight"])
        bias = self._constant(f"{name}.bias", self._weights[f"{name}.bias"])
        return self._node(
            "LayerNormalization", [states, gain, bias], axis=-1, epsilon=self._shape.epsilon
        )

    def _product(self, states: str, name: str, weight: FloatArray) -> str:
        """States times a weight ``[in, out]``, without bias, in integers if the graph has steps."""
        if self._steps is None:
            return self._node("MatMul", [states, self._constant(f"{name}.weight", weight)])
        largest = np.maximum(np.abs(weight).max(axis=0), LEAST)
        column_step = (largest / self._steps).astype(np.float32)
        rounded = np.rint(weight / column_step).astype(np.int8)
        integers, step = self._quantised(states)
        one, zero = self._constant("unit_step", np.float32(1)), "zero_point"
        product = self._node(
            "MatMulIntegerToFloat",
            [integers, self._constant(f"{name}.integers", rounded), one,
             self._constant(f"{name}.step", column_step), zero],
            domain=CONTRIBUTED,
        )  # fmt: skip
        return self._node("Mul", [product, step])

    def _quantised(self, states: str) -> tuple[str, str]:
        """Each token's activations as unsigned bytes around 128, and the token's step."""
        last = self._constant("last", np.array([-1]))
        highest = self._node("ReduceMax", [states, last], keepdims=1)
        lowest = self._node("Neg", [self._node("ReduceMin", [states, last], keepdims=1)])
        span = self._node("Max", [highest, lowest, self._constant("least", LEAST)])
        share = self._constant("activation_step", np.float32(1 / ACTIVATION_STEPS))
        step = self._node("Mul", [span, share])
        one = self._constant("unit_step", np.float32(1))
        zero = self._constant("zero_point", np.uint8(ZERO))
        scaled = self._node("Div", [states, step])
        return self._node("QuantizeLinear", [scaled, one, zero]), step

    def _constant(self, name: str, value: Any) -> str:
        self._constants.setdefault(name, np.asarray(value))
        return name

    def _node(
        self,
        kind: str,
        inputs: Sequence[str],
        outputs: Sequence[str] | None = None,
        domain: str = "",
        **attributes: Any,
    ) -> str:
        from onnx import helper

        names = list(outputs or [f"{kind}.{len(self._nodes)}"])
        made = helper.make_node(
            kind,
            list(inputs),
            names,
            name=f"{kind}.{len(self._nodes)}",
            domain=domain,
            **attributes,
        )
        self._nodes.append(made)
        return names[0]


def _float32() -> int:
    from onnx import TensorProto

    return int(TensorProto.FLOAT)
