"""The int8 ONNX graph of a stage of the network. Belongs here: which operators compute it, and how weights become whole numbers.

Not here: calibration, checking, files (`ml.training.export`).

The graph is written down rather than traced and quantised by a tool: a traced graph is only as fast as the fusions that a loader finds
in it again, and those do not survive the tool's quantise-dequantise pairs. Linear layers take 8-bit activations with a fixed scale and
7-bit weights with a scale per column: their sums are whole numbers, exact on any processor. Word vectors are kept in 8 bits for size.
Attention, softmax, normalisation, GELU and the heads stay in float32.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

EPSILON = 1e-12
HEAD_WIDTH = 32  # of one attention head
EVENED_SHARE = 0.7  # 0: channels stay as they are, 1: all reach equally far
_CONTRIB = "com.microsoft"
_WEIGHT_LEVELS = 63  # 7 bits: two products of 255 x 63 still fit the 16-bit sums of processors without VNNI
_VECTOR_LEVELS = 127

Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Span:
    """The least and the largest value of each channel that enters a linear layer."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]

    def divisors(self, weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """What each channel is divided by before it is rounded, while its row of `weight` (inputs x outputs) is multiplied by it.

        One channel in a thousand is ten times the others and would cost them their precision: SmoothQuant (Xiao et al. 2022), equation 4.
        """
        reach = np.maximum(np.maximum(-self.low, self.high), 1e-4)
        raw = reach**EVENED_SHARE / np.maximum(np.abs(weight).max(axis=1), 1e-4) ** (1 - EVENED_SHARE)
        even: NDArray[np.float32] = (raw / np.exp(np.log(raw).mean())).astype(np.float32)
        return even

    def scale_and_zero(self, divisors: NDArray[np.float32] | float = 1.0) -> tuple[np.float32, np.uint8]:
        """Scale and zero point of an unsigned 8-bit number over all channels, once divided; the range is widened to hold 0."""
        low, high = min(float((self.low / divisors).min()), 0.0), max(float((self.high / divisors).max()), 0.0)
        scale = max(high - low, 1e-6) / 255
        return np.float32(scale), np.uint8(round(-low / scale))


def whole_numbers(weight: NDArray[np.float32], levels: int, axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """`weight` as numbers from -levels to levels, and the scale of each row or column along `axis`."""
    scale = np.maximum(np.abs(weight).max(axis=axis, keepdims=True), 1e-8) / levels
    return np.rint(weight / scale).astype(np.int8), scale.astype(np.float32)


def layer_weights(weights: Weights, layer: int) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Matrix (inputs x outputs) and bias of the four linear layers of an encoder layer: attention's three in one, output, inner, outer."""
    at = f"bert.encoder.layer.{layer}"

    def one(name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return weights[f"{at}.{name}.weight"].T, weights[f"{at}.{name}.bias"]

    three = [one(f"attention.self.{name}") for name in ("query", "key", "value")]
    return {
        "attention": (np.concatenate([weight for weight, _ in three], axis=1), np.concatenate([bias for _, bias in three])),
        "output": one("attention.output.dense"),
        "inner": one("intermediate.dense"),
        "outer": one("output.dense"),
    }


@dataclass
class StageGraph:
    """A stage under construction: layers `first` up to, not with, `last`, then the heads of that exit.

    Inputs: `input_ids` int64 (batch, length) of the first stage, `hidden` float32 (batch, length, width) of a later one; `lengths` int32
    (batch), the tokens before the padding; `text_weights` float32 (batch, length), what each token counts in the mean. Outputs: `states`
    float32 (batch, length, width) where another stage follows, and last `logits` float32 (batch, outputs). `spans` by layer.name.
    """

    weights: Weights
    spans: Mapping[str, Span]
    first: int
    last: int
    positions: int
    is_final: bool
    _nodes: list[Any] = field(default_factory=list)
    _constants: dict[str, Any] = field(default_factory=dict)

    def build(self) -> bytes:
        """The ONNX file."""
        state = self._embedded() if self.first == 0 else "hidden"
        for layer in range(self.first, self.last):
            state = self._layer(layer, state)
        logits = self._heads(state)
        helper: Any = import_module("onnx.helper")
        kinds: Any = import_module("onnx").TensorProto
        width = self.weights["bert.embeddings.LayerNorm.weight"].shape[0]
        outputs = self.weights[f"heads.{self.last}.bias"].shape[0]
        given = ("input_ids", kinds.INT64, ["batch", "length"]) if self.first == 0 else ("hidden", kinds.FLOAT, ["batch", "length", width])
        asked = [given, ("lengths", kinds.INT32, ["batch"]), ("text_weights", kinds.FLOAT, ["batch", "length"])]
        made = [] if self.is_final else [(state, kinds.FLOAT, ["batch", "length", width])]
        graph = helper.make_graph(
            self._nodes,
            "stage",
            [helper.make_tensor_value_info(*one) for one in asked],
            [helper.make_tensor_value_info(*one) for one in (*made, (logits, kinds.FLOAT, ["batch", outputs]))],
            list(self._constants.values()),
        )
        versions = [helper.make_opsetid("", 18), helper.make_opsetid(_CONTRIB, 1)]
        content: bytes = helper.make_model(graph, opset_imports=versions, ir_version=10).SerializeToString()
        return content

    def _constant(self, name: str, value: Any) -> str:
        helper: Any = import_module("onnx.numpy_helper")
        if name not in self._constants:
            self._constants[name] = helper.from_array(np.ascontiguousarray(value).reshape(np.shape(value)), name)
        return name

    def _node(self, operator: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: Any) -> str:
        helper: Any = import_module("onnx.helper")
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=output, domain=domain, **attributes))
        return output

    def _normalised(self, state: str, weights: str, output: str) -> str:
        # Not SkipLayerNormalization, which adds and normalises in one operator but takes four times as long (onnxruntime 1.32).
        parts = [self._constant(f"{output}.{part}", self.weights[f"{weights}.LayerNorm.{part}"]) for part in ("weight", "bias")]
        return self._node("LayerNormalization", [state, *parts], output, axis=-1, epsilon=EPSILON)

    def _embedded(self) -> str:
        at = "bert.embeddings"
        numbers, scales = whole_numbers(self.weights[f"{at}.word_embeddings.weight"], _VECTOR_LEVELS, axis=1)
        kinds: Any = import_module("onnx").TensorProto
        vector = self._node("Gather", [self._constant("words", numbers), "input_ids"], "words.chosen")
        scale = self._node("Gather", [self._constant("words.scale", scales), "input_ids"], "words.scale.chosen")
        words = self._node("Mul", [self._node("Cast", [vector], "words.float", to=kinds.FLOAT), scale], "words.scaled")
        table = self.weights[f"{at}.position_embeddings.weight"] + self.weights[f"{at}.token_type_embeddings.weight"][0]
        start, length = self._constant("zero", np.zeros(1, np.int64)), self._node("Shape", ["input_ids"], "length", start=1, end=2)
        places = self._node("Slice", [self._constant("positions", table[: self.positions]), start, length], "positions.used")
        return self._normalised(self._node("Add", [words, places], "embedded.sum"), at, "embedded")

    def _given(self, name: str, state: str, divisors: NDArray[np.float32] | None = None) -> tuple[str, str, str]:
        """A linear layer's input in 8 bits, with its scale and zero point."""
        scale, zero = self.spans[name].scale_and_zero(1.0 if divisors is None else divisors)
        if divisors is not None:
            state = self._node("Mul", [state, self._constant(f"{name}.even", 1 / divisors)], f"{name}.evened")
        fixed = self._constant(f"{name}.scale", scale), self._constant(f"{name}.zero", zero)
        return self._node("QuantizeLinear", [state, *fixed], f"{name}.given"), *fixed

    def _matrix(self, name: str, weight: NDArray[np.float32]) -> tuple[str, str, str]:
        """A linear layer's weights in 7 bits, with scales and zero points by column."""
        numbers, scales = whole_numbers(weight, _WEIGHT_LEVELS, axis=0)
        parts = (("weight", numbers), ("weight_scale", scales[0]), ("weight_zero", np.zeros(numbers.shape[1], np.int8)))
        whole, scale, zero = (self._constant(f"{name}.{part}", value) for part, value in parts)
        return whole, scale, zero

    def _linear(self, name: str, state: str, weight: NDArray[np.float32], bias: NDArray[np.float32], *, evened: bool) -> str:
        divisors = self.spans[name].divisors(weight) if evened else None
        given, scale, zero = self._given(name, state, divisors)
        whole, scales, zeros = self._matrix(name, weight if divisors is None else weight * divisors[:, None])
        inputs = [given, whole, scale, scales, zero, zeros, self._constant(f"{name}.bias", bias)]
        return self._node("MatMulIntegerToFloat", inputs, f"{name}.sum", _CONTRIB)

    def _layer(self, layer: int, state: str) -> str:
        linear, at = layer_weights(self.weights, layer), f"bert.encoder.layer.{layer}"
        matrix, bias = linear["attention"]
        given, scale, zero = self._given(f"{layer}.attention", state)
        whole, scales, zeros = self._matrix(f"{layer}.attention", matrix)
        inputs = [given, whole, self._constant(f"{layer}.attention.bias", bias), scale, scales, "lengths", zero, zeros]
        heads = matrix.shape[0] // HEAD_WIDTH
        mixed = self._node("QAttention", inputs, f"{layer}.mixed", _CONTRIB, num_heads=heads, unidirectional=0)
        output = self._linear(f"{layer}.output", mixed, *linear["output"], evened=False)
        added = self._node("Add", [output, state], f"{layer}.output.added")
        middle = self._normalised(added, f"{at}.attention.output", f"{layer}.middle")
        inner = self._linear(f"{layer}.inner", middle, *linear["inner"], evened=True)
        curved = self._node("Gelu", [inner], f"{layer}.gelu", _CONTRIB)
        outer = self._linear(f"{layer}.outer", curved, *linear["outer"], evened=True)
        added = self._node("Add", [outer, middle], f"{layer}.outer.added")
        return self._normalised(added, f"{at}.output", f"{layer}.state")

    def _heads(self, state: str) -> str:
        # A product and a sum, not a Gemm: a Gemm of one row takes another path than one of many, and the last bit of a text would
        # depend on its batch.
        one, last = self._constant("axis.1", np.array([1], np.int64)), self._constant("axis.last", np.array([-1], np.int64))
        weights = self._node("Unsqueeze", ["text_weights", one], "text_weights.row")
        pooled = self._node("MatMul", [weights, state], "pooled")
        products = self._node("Mul", [pooled, self._constant("heads.weight", self.weights[f"heads.{self.last}.weight"])], "heads.products")
        sums = self._node("ReduceSum", [products, last], "heads.sum", keepdims=0)
        return self._node("Add", [sums, self._constant("heads.bias", self.weights[f"heads.{self.last}.bias"])], "logits")
