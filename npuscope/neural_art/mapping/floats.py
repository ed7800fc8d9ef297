"""What computes in float, and where what has no unit runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.machine.machine import Target
from npuscope.model.layer import WEIGHTED, Layer, Operand, is_transparent
from npuscope.neural_art.frontend.formats import has_real_borders, real_borders
from npuscope.neural_art.mapping.folded import folded_away
from npuscope.neural_art.mapping.layout import VIEWS, axis_of, permutation
from npuscope.neural_art.mapping.operators import ARITHMETIC, IN_INTEGERS
from npuscope.neural_art.mapping.padding import absorbed
from npuscope.neural_art.mapping.type_borders import is_border, is_requantize
from npuscope.npu.rule import Context
from npuscope.npu.verdict import Placement

if TYPE_CHECKING:
    from npuscope.model.graph import Graph
    from npuscope.model.layers import Layers


def is_read(operand: Operand, graph: Graph) -> bool:
    """Something reads a result of a layer: an operator may state more than anyone asks for, as MaxPool its indices."""
    return any(name in graph.consumers or name in graph.output_set for name in (operand.tensor, operand.seen))


def moves_bare_floats(layer: Layer, layers: Layers) -> bool:
    """A Concat whose parts are blocks or as many channels, or a Transpose of columns, of floats: stream engines copy them.

    A Concat's result may be quantized behind: two inputs that are stacked (LarocheC/dnsmos_exported, 4.0.1, two networks of one kind).

    1. All 13 Concats of maps and the 3 Transposes of a float YOLOv5n are on the NPU (aldo-smart/STM32N6-FaceRecognition, 2.2); its
       Concats along the last axis, and one of rows that a Reshape makes, are float kernels.
    2. So are those of a float YOLOv8n (s1f102300638/stm32n6570-2-, 2.2): nine Concats of maps on the NPU, and one of rows; those of
       unequal parts and one along the last axis are not. Its Transpose of whole rows is a routine.
    3. A Pad that float convolutions take over is no kernel (`mapping.padding`).

    inferred for other versions: none was seen.
    """
    if layer.kind == "Pad" and layer.output is not None and layer.output.quant is None:
        return absorbed(layer, layers, None) is not None
    results = layer.outputs if layer.kind == "Transpose" else ()
    if layer.kind not in ("Concat", "Transpose") or not all(o.bare for o in (*layer.inputs, *results)):
        return False
    if layer.kind == "Transpose":
        perm = permutation(layer)
        return perm is None or perm[-1] != 3
    result = layer.output_dims
    if result is not None and len(result) == 3 and layer.core.integer("axis", 0) in (1, -2):
        writers = [layers.writers.get(o.tensor) for o in layer.inputs]
        return result[0] == 1 and not any(one is not None and one.kind in VIEWS for one in writers)
    parts = {o.dims[1] if o.dims is not None and len(o.dims) == 4 else 0 for o in layer.inputs}
    return (
        result is not None
        and layer.core.integer("axis", 0) in (1, 1 - len(result))
        and len(parts) == 1
        and parts != {0}
    )


def swallowed(concat: Layer, layers: Layers) -> bool:
    """A Concat of floats that nothing but another along the same axis reads: the front end makes one of the two.

    The boxes of a float YOLOv8n (s1f102300638/stm32n6570-2-, 2.2). inferred for other versions: none was seen.
    """
    if (
        concat.kind != "Concat"
        or concat.output is None
        or not all(o.bare for o in (*concat.inputs, concat.output))
    ):
        return False
    tensor, axis = concat.output.tensor, axis_of(concat)
    readers = layers.readers.get(tensor, ())
    if tensor in layers.results or len(readers) != 1 or readers[0].kind != "Concat":
        return False
    if axis is None or axis != axis_of(readers[0]):
        return False
    return sum(o.tensor == tensor for o in readers[0].inputs) == 1


def takes_float_constants(layer: Layer) -> bool:
    """An ARITH operator, of which the compiler quantizes a constant operand itself; a PRelu, whose slopes may be float."""
    return layer.kind in ARITHMETIC or layer.kind == "PRelu"


def is_float(layer: Layer, context: Context) -> bool:
    """Computes in float: an activation, a weight or the result has no quantization of its own."""
    known = context.floats.get(layer)
    if known is None:
        known = context.floats[layer] = _is_float(layer, context)
    return known


def _is_float(layer: Layer, context: Context) -> bool:
    if _in_integers(layer) and not has_real_borders(context.graph):
        return False
    if folded_away(layer) or is_border(layer, context) or is_requantize(layer) or is_transparent(layer.core):
        return False
    if real_borders(layer, context.graph):
        return True
    if quantizes_parts(layer, context.graph) or swallowed(layer, context.layers):
        return False
    if layer.kind == "BatchNormalization" and norm_source(layer, context) is not None:
        return any(o.bare for o in layer.outputs if is_read(o, context.graph))
    if layer.kind in WEIGHTED and layer.weight is not None and layer.weight.bare:
        return True
    kept = takes_float_constants(layer)
    if any(o.bare and not (kept and o.constant is not None) for o in layer.inputs):
        return True
    if sums_to_floats(layer, context.layers, context.target):
        return False
    results = [o for o in layer.outputs if is_read(o, context.graph)] or layer.outputs
    return any(o.bare for o in results) and norm_behind(layer, context) is None


def _in_integers(layer: Layer) -> bool:
    """All it reads and writes has a quantization, as in most layers of most models."""
    for operand in layer.inputs:
        if operand.quant is None:
            return False
    for operand in layer.outputs:
        if operand.quant is None:
            return False
    return layer.weight is None or layer.weight.quant is not None


def quantizes_parts(layer: Layer, graph: Graph) -> bool:
    """A Concat of floats and integers whose result is quantized joins integers: the floats are quantized to its scale before it.

    Boxes times a float constant, beside quantized scores: a DequantizeLinear, the Mul and a QuantizeLinear in software, the Concat
    on the NPU (Ping-Hsueh-Hsieh/stm32n6-camera, 4.0.1, network.c; one network). inferred for other versions: none was seen.
    """
    return (
        layer.kind == "Concat"
        and layer.output is not None
        and layer.output.quant is not None
        and any(o.quant is not None for o in layer.inputs)
        and all(o.constant is None and o.seen not in graph.input_set for o in layer.inputs if o.bare)
    )


def sums_to_floats(layer: Layer, layers: Layers, target: Target) -> bool:
    """A sum of two quantized maps that a float layer reads: an ARITH unit writes the floats, without a DequantizeLinear.

    rb - lt in the head of a YOLO11n OBB, which a float Div reads (Wafleem/STM32N6-EdgeAI-CV, 4.0, network.c; one network).
    """
    result = layer.output
    return (
        layer.kind in ("Add", "Sub")
        and target.toolchain.sums_to_floats
        and len(layer.inputs) == 2
        and all(o.constant is None and o.quant is not None for o in layer.inputs)
        and result is not None
        and result.bare
        and bool(layers.readers.get(result.tensor))
    )


def norm_behind(layer: Layer, context: Context) -> Layer | None:
    """The BatchNormalization the compiler folds into a Conv: it alone reads what the Conv writes, before any Q."""
    if layer.kind not in ("Conv", "ConvTranspose") or layer.output is None or layer.output.quant is not None:
        return None
    readers = context.graph.consumers.get(layer.output.seen, ())
    if len(readers) != 1 or layer.output.seen in context.graph.output_set:
        return None
    after = context.layers.of_node.get(context.graph.nodes[readers[0]].name)
    if after is None or after.kind != "BatchNormalization" or len(after.parameters) != 4:
        return None
    return after if all(p.constant is not None for p in after.parameters) else None


def norm_source(layer: Layer, context: Context) -> Layer | None:
    """The Conv a BatchNormalization is folded into."""
    if layer.kind != "BatchNormalization" or layer.input is None or layer.input.quant is not None:
        return None
    source = context.layers.writers.get(layer.input.seen)
    return source if source is not None and norm_behind(source, context) is layer else None


def on_cpu(layer: Layer, context: Context) -> Placement:
    """Where a layer without a unit runs: in int8 where the runtime has such a kernel, unless it computes in float or moves floats."""
    moves_floats = (
        is_transparent(layer.core)
        and has_float_data(layer)
        and not any(o.quant is not None for o in (*layer.inputs, *layer.outputs))
    )
    return without_unit(moves_floats or layer.kind not in IN_INTEGERS or is_float(layer, context))


def without_unit(floats: bool) -> Placement:
    """Where what has no unit runs."""
    return Placement.SW_FLOAT if floats else Placement.SW_INT


def has_float_data(layer: Layer) -> bool:
    """Any operand is float and not quantized."""
    return any(o.bare for o in (*layer.inputs, *layer.outputs))


def norm_taken_apart(layer: Layer, target: Target) -> bool:
    """A LayerNormalization that the compiler writes as the operators it consists of."""
    return layer.kind == "LayerNormalization" and target.toolchain.layer_norm_apart
