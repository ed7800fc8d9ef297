"""What several rules ask of a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution, convolution
from npuscope.model.layer import DEQUANTIZE, FLOATS, QUANTIZE, WEIGHTED, Layer, Operand, is_transparent
from npuscope.neural_art.frontend.borders import input_stays_float, output_stays_float
from npuscope.neural_art.frontend.formats import has_real_borders, real_borders
from npuscope.neural_art.mapping.capacity import submasks
from npuscope.neural_art.mapping.layout import VIEWS, axis_of, permutation
from npuscope.neural_art.mapping.operators import ARITHMETIC, IN_INTEGERS
from npuscope.neural_art.mapping.padding import absorbed
from npuscope.neural_art.mapping.row_kernels import along_rows
from npuscope.npu.rule import Context
from npuscope.npu.verdict import Placement

if TYPE_CHECKING:
    from npuscope.model.graph import Graph
    from npuscope.model.layers import Layers
    from npuscope.model.quant import Quant

ON_INTEGERS = frozenset({"int64", "int32", "bool", "string"})
SHAPE_MAKERS = frozenset({"Shape", "Size", "ConstantOfShape", "Range"})


def signed_zero_point(quant: Quant) -> int:
    """The zero point as int8 would hold it: uint8 data is the same data 128 higher."""
    return quant.zero - 128 if quant.dtype == "uint8" else quant.zero


def input_zero_point(layer: Layer) -> int | None:
    """Int8 zero point of the first activation, None where it is not quantized per tensor or not known yet."""
    quant = layer.input.quant if layer.input is not None else None
    return None if quant is None or quant.per_channel or not quant.zero_known else signed_zero_point(quant)


def awaits_zero_point(layer: Layer) -> bool:
    """The zero point of the first activation is known once the model is calibrated."""
    quant = layer.input.quant if layer.input is not None else None
    return quant is not None and not quant.zero_known


def folded_away(layer: Layer) -> bool:
    """Computes shapes or other constants, on integers: folded before the compiler places layers."""
    known: bool | None = layer.facts.get(_FOLDED)
    if known is None:
        known = layer.facts[_FOLDED] = _folded_away(layer)
    return known


_FOLDED = "folded away"


def _folded_away(layer: Layer) -> bool:
    if layer.kind in SHAPE_MAKERS:
        return True
    operands = (*layer.inputs, *layer.outputs)
    return bool(operands) and all(
        o.quant is None and (o.type.dtype in ON_INTEGERS or o.constant is not None) for o in operands
    )


def known_when_compiling(layer: Layer, context: Context) -> bool:
    """Computes from shapes and constants alone, so that the front end can put its value in its place."""
    if not folded_away(layer):
        return False
    pending, seen = [layer], {layer.name}
    while pending and len(seen) < 256:
        one = pending.pop()
        if one.kind in SHAPE_MAKERS:
            continue
        for operand in (*one.inputs, *one.parameters):
            if operand.constant is not None:
                continue
            writer = context.layers.writers.get(operand.tensor)
            if writer is None or not folded_away(writer):
                return False
            if writer.name not in seen:
                seen.add(writer.name)
                pending.append(writer)
    return True


def is_border(layer: Layer, context: Context) -> bool:
    """A Q straight behind a float graph input, or a DQ straight before a float graph output."""
    if layer.kind == QUANTIZE and layer.input is not None:
        return layer.input.quant is None and layer.input.seen in context.graph.input_set
    if layer.kind == DEQUANTIZE and layer.output is not None:
        return layer.output.tensor in context.graph.output_set
    return False


def stays(layer: Layer, context: Context) -> bool:
    """A border that is run: the float input or output it stands at keeps its type."""
    build = context.target.build
    if layer.kind == QUANTIZE and layer.input is not None:
        return input_stays_float(layer.input.seen, context.graph, build)
    return layer.output is not None and output_stays_float(layer.output.tensor, context.graph, build)


def starts_in_integers(layer: Layer, context: Context) -> bool:
    """Moves the values of a float graph input before the Q: the input becomes int8 and so does the layer."""
    if not is_transparent(layer.core) or layer.input is None or layer.output is None:
        return False
    name = layer.input.seen
    if layer.input.quant is not None or layer.output.quant is None or name not in context.graph.input_set:
        return False
    return not read_as_floats(name, context.layers)


def read_as_floats(name: str, layers: Layers) -> bool:
    """An input of the network that stays float, for one that reads floats of it or for parts with a Q of their own each.

    LarocheC/eco8-neaixt (4.0.1): six of six inputs of a ConvFSENet that a Gather reads beside a Slice are float; of two block-diagonal
    NSNet2 the 18 and 30 epochs in software are a QuantizeLinear for each Slice of three inputs, four or eight a piece, and six more.
    """
    readers = layers.readers.get(name, ())
    if any(reader.kind == QUANTIZE for reader in readers):
        return any(r.kind != QUANTIZE and not is_transparent(r.core) for r in readers)
    return len(readers) > 1 or any(not is_transparent(reader.core) for reader in readers)


def divides_float_input(layer: Layer, context: Context) -> bool:
    """A Split or Slice of an input that stays float: a routine takes the parts, each Slice alone (4.0.1).

    The two hybrid epochs of a DNSMOS are two Slices of its waveform (LarocheC/dnsmos_exported); 12 of 17 and 24 of 28 of two
    block-diagonal NSNet2 (LarocheC/eco8-neaixt) are most likely those of their three inputs. Their compiler names no kinds.
    """
    source = layer.input
    if source is None or not context.target.toolchain.divides_float_inputs or not bare(source):
        return False
    return source.seen in context.graph.input_set and read_as_floats(source.seen, context.layers)


def ends_in_integers(layer: Layer, context: Context) -> bool:
    """Moves values between the DQ and a float graph output that becomes int8: the layer moves integers.

    Movers before the last one have the scale of what they move.
    """
    result = layer.output
    if result is None or layer.input is None or not is_transparent(layer.core) or not bare(result):
        return False
    if result.tensor not in context.graph.output_set or context.layers.readers.get(result.tensor):
        return False
    return not output_stays_float(result.tensor, context.graph, context.target.build)


CASTS = frozenset({"int8", "uint8", "int16", "uint16", "int32", "bool"})
"""Integers that a routine makes floats of, or of floats; shapes are counted in others."""


def changed_types(layer: Layer, context: Context) -> tuple[str, str] | None:
    """What a Cast of data makes of what: integers of floats or floats of integers. None for shapes and other layers."""
    if layer.kind != "Cast" or folded_away(layer):
        return None
    source, result = (context.graph.type(name).dtype for name in (layer.core.input(0), layer.core.output(0)))
    if (source in FLOATS and result in CASTS) or (source in CASTS and result in FLOATS):
        return source, result
    return None


def is_requantize(layer: Layer) -> bool:
    """A DQ and a Q with nothing between: one scale becomes another, in integers."""
    return layer.kind == QUANTIZE and layer.input is not None and layer.input.quant is not None


def bare(operand: Operand) -> bool:
    """A float tensor without a Q/DQ beside it."""
    return operand.quant is None and operand.type.dtype in FLOATS


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
    if layer.kind not in ("Concat", "Transpose") or not all(bare(o) for o in (*layer.inputs, *results)):
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
        or not all(bare(o) for o in (*concat.inputs, concat.output))
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
        return any(bare(o) for o in layer.outputs if is_read(o, context.graph))
    if layer.kind in WEIGHTED and layer.weight is not None and bare(layer.weight):
        return True
    kept = takes_float_constants(layer)
    if any(bare(o) and not (kept and o.constant is not None) for o in layer.inputs):
        return True
    if sums_to_floats(layer, context.layers, context.target):
        return False
    results = [o for o in layer.outputs if is_read(o, context.graph)] or layer.outputs
    return any(bare(o) for o in results) and norm_behind(layer, context) is None


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
        and all(o.constant is None and o.seen not in graph.input_set for o in layer.inputs if bare(o))
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
        and bare(result)
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
    return any(bare(o) for o in (*layer.inputs, *layer.outputs))


def geometry(layer: Layer) -> Convolution | None:
    """The layer as a convolution, None where it is none or a shape is not known."""
    return convolution(layer)


def narrow_submasks(conv: Convolution, target: Target) -> tuple[tuple[int, int], ...]:
    """Sub-masks one column wide that a large depthwise kernel leaves beside wider ones: before 3.0 no unit takes them."""
    if not conv.depthwise or target.toolchain.narrow_sub_masks or along_rows(conv).turned:
        return ()
    parts = submasks(conv, target)
    narrow = tuple(part for part in parts if part[1] == 1)
    return narrow if len(narrow) < len(parts) else ()


def row_too_wide(conv: Convolution, target: Target) -> bool:
    """A kernel of one row, on a map of one row, wider than the accelerators': before 3.0 it is not cut in sub-masks.

    Both 1x7 of 24 channels of an eight-channel network (FRIENDA256/stm32N6_AI, 2.2) are whole float kernels between a
    DequantizeLinear and a Cast, beside an 8x9 in six sub-masks; a Conv1d of nine taps is cut along its rows (TC-ResNet8). No report
    prints dilations: that no SpaceToDepth stands before them, as before all dilated ones seen, is why these are taken for plain.
    On a map of 8x8 1x7 of 128 channels is cut in six columns and one (ten of ten in FaceNet, muazzamaqeel/BA-EmbeddedAI, 2.2).
    """
    if conv.kernel[0] != 1 or conv.input_size[0] > 1 or conv.depthwise or along_rows(conv).turned:
        return False
    return len(submasks(conv, target)) > 1 and not target.toolchain.narrow_sub_masks


def norm_taken_apart(layer: Layer, target: Target) -> bool:
    """A LayerNormalization that the compiler writes as the operators it consists of."""
    return layer.kind == "LayerNormalization" and target.toolchain.layer_norm_apart


def printable_kind(layer: Layer) -> str:
    """The layer's kind, safe to print."""
    kind = layer.kind
    return kind if kind.isascii() and kind.isidentifier() and len(kind) <= 40 else repr(kind[:40])[1:-1]
