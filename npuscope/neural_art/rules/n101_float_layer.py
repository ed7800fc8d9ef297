"""N101: a layer that computes in float."""

from __future__ import annotations

from functools import lru_cache

from npuscope.model.layers import PASSES_SCALE_ON, Layer, Layers
from npuscope.model.names import printable_kind
from npuscope.model.validity.foreign import BY_ARITHMETIC, STANDARD, hindrance, rounding, stored_as
from npuscope.neural_art.frontend.formats import is_quantized
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.operators import ON_NPU
from npuscope.neural_art.rules.n301_no_unit import OF_THE_APPLICATION, way_without_unit
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

_WORDS = {
    Why.FLOAT_OUTPUT: (
        "writes float: no QuantizeLinear follows its output",
        "put a QuantizeLinear/DequantizeLinear pair behind its output",
    ),
    Why.FLOAT_CONSTANT: (
        "reads a float constant that has no QuantizeLinear/DequantizeLinear",
        "quantize the constant as well (QuantizeLinear/DequantizeLinear on it)",
    ),
    Why.FLOAT_WEIGHTS: (
        "has float weights",
        "quantize the weights to int8, per channel, zero point 0",
    ),
    Why.FLOAT_INPUT: (
        "computes in float: its input is not quantized",
        "quantize the model to int8 in QDQ form, per channel ('npuscope quantize' does, with onnxruntime's quantizer)",
    ),
}


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    if layer.kind in OF_THE_APPLICATION:  # N301 says what to do: quantized they are no closer to the NPU
        return None
    if cause.why is Why.FLOAT_BETWEEN_BORDERS:
        what, fix = (
            "computes in float between a DequantizeLinear and a QuantizeLinear, which a QOperator model has as operators",
            "quantize in QDQ format, where Q and DQ are annotations for the compiler",
        )
        why = "The compiler runs each Q and DQ of such a model on the CPU, and what lies between them with its float kernel."
    elif cause.why is not Why.FLOAT_OUTPUT and (hidden := _hidden(context)) is not None:
        what, fix = f"computes in float: the model {hidden[0]}", hidden[1]
        why = _MAIN_GRAPH
    elif layer.core.name in rounding(context.graph):
        what, fix, why = f"computes in float: the model {BY_ARITHMETIC}", STANDARD, _MAIN_GRAPH
    else:
        what, fix = _WORDS[cause.why]  # type: ignore[index]
        quantized = _is_quantized(context.layers)
        if (
            cause.why is Why.FLOAT_INPUT
            and not quantized
            and layer.weight is not None
            and layer.weight.quant is not None
        ):
            what, fix = _ONLY_WEIGHTS
        elif cause.why is Why.FLOAT_WEIGHTS and (stored := stored_as(context.graph, layer.core.input(1))):
            what = f"has weights stored as {stored} that operators bring to their scale, so that they count as float"
            fix = "bring them to their scale with a DequantizeLinear, per channel, and quantize the rest in QDQ form"
        elif cause.why is Why.FLOAT_OUTPUT and layer.weight is not None and _is_added_to(layer, context):
            fix = f"make the constant that is added behind it its bias (edit add-to-bias), or {fix}"
        elif cause.why in (Why.FLOAT_INPUT, Why.FLOAT_CONSTANT) and quantized:
            fix = (
                _NORMALIZE if _prepares(layer, context) else _ISLAND if cause.why is Why.FLOAT_INPUT else fix
            )
        why = "The NPU computes in integers only; a layer counts as int8 only if each of its tensors has a Q/DQ of its own."
    if layer.domain == "com.microsoft" and way_without_unit(layer.kind):
        fix = way_without_unit(layer.kind)
    elif (
        fix and why != _MAIN_GRAPH and layer.kind not in ON_NPU and cause.why is not Why.FLOAT_BETWEEN_BORDERS
    ):
        fix += "; as the NPU has no unit for it, it then runs in int8 on the CPU at best"
    return Finding(
        "N101",
        Severity.ERROR,
        f"{printable_kind(layer)} {what}",
        why,
        fix,
        cause.placement,
        Confidence.INFERRED if cause.why is Why.FLOAT_BETWEEN_BORDERS else Confidence.DOCUMENTED,
    )


_MAIN_GRAPH = "The NPU computes in integers only; ST's tools read QuantizeLinear and DequantizeLinear, in the main graph."
_ONLY_WEIGHTS = (
    "has int8 weights but computes in float: its input is not quantized (dynamic range, weight-only)",
    "quantize activations as well: quantize_static, or TFLite's converter with a representative dataset",
)
_ISLAND = (
    "put a QuantizeLinear/DequantizeLinear pair on its input and its output; the rest of the model has them"
)
_NORMALIZE = (
    "leave what comes before the first QuantizeLinear to the application and hand over int8 data, or fold mean and "
    "deviation into the weights of the first Conv"
)
PREPARES = frozenset({"Cast", "Sub", "Add", "Mul", "Div", "Resize"}) | PASSES_SCALE_ON
MOST_STEPS = 16


@lru_cache(maxsize=4)
def _is_quantized(layers: Layers) -> bool:
    return is_quantized(layers.layers)


def _hidden(context: Context) -> tuple[str, str] | None:
    """What keeps the whole model from being read as quantized; None where parts of it are."""
    return None if _is_quantized(context.layers) else hindrance(context.graph)


def _is_added_to(layer: Layer, context: Context) -> bool:
    """An Add of a constant alone reads it: a bias that was exported apart."""
    graph, result = context.graph, layer.core.output(0)
    readers = graph.consumers.get(result, ())
    if len(readers) != 1 or result in graph.output_set or layer.core.input(2):
        return False
    add = graph.nodes[readers[0]]
    summed = context.layers.of_node.get(add.name)
    dims = graph.type(result).dims
    if add.op != "Add" or summed is None or dims is None or dims != graph.type(add.output(0)).dims:
        return False
    if layer.kind == "MatMul" and len(dims) != 2:
        return False
    if any(layer.core.attribute(factor) not in (None, 1.0) for factor in ("alpha", "beta")):
        return False
    axis = len(dims) - 1 if layer.kind in ("Gemm", "MatMul") else 1
    return any(o.constant is not None and _is_each(o.constant.shape, dims, axis) for o in summed.inputs)


def _is_each(shape: tuple[int, ...], dims: tuple[int, ...], axis: int) -> bool:
    """A constant of this shape adds one number to each output channel."""
    wide = (*(1,) * (len(dims) - len(shape)), *shape)
    return len(wide) == len(dims) and all(size == 1 or i == axis for i, size in enumerate(wide))


def _prepares(layer: Layer, context: Context) -> bool:
    """Between a graph input and the first QuantizeLinear: it normalises the input."""
    graph, node = context.graph, layer.core
    for _ in range(MOST_STEPS):
        if node.op not in PREPARES or not node.standard:
            return False
        data = [
            name for name in node.inputs if name and name not in graph.constants and name not in graph.derived
        ]
        if len(data) != 1:
            return False
        if data[0] in graph.input_set:
            return True
        before = graph.producer(data[0])
        if before is None:
            return False
        node = before
    return False


RULE = Rule(
    code="N101",
    title="Layer computes in float",
    what="Looks for a layer with an input, a weight or an output that is float and has no Q/DQ beside it.",
    why="The accelerators work on 8, 16 and 24-bit integers. A float layer runs on the Cortex-M55, and the compiler "
    "puts a DequantizeLinear before it and a QuantizeLinear after it, both on the CPU too.",
    fix="Quantize the tensors named. Where a Reshape stands between the operator and its QuantizeLinear, move the "
    "QuantizeLinear before the Reshape.",
    source="FACTS 3.1 (ST documentation), LESSONS C2 (mobilenet_v2_224, yolov11n_micro_224)",
    confidence=Confidence.DOCUMENTED,
    causes=frozenset(_WORDS) | {Why.FLOAT_BETWEEN_BORDERS},
    word=word,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (float[1,8,1,1] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  y = GlobalAveragePool(f) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,1,1] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  p = GlobalAveragePool(f)
  y = QuantizeLinear(p, s, z) }""",
)
