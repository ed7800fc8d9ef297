"""A float model made an int8 one by onnxruntime's own quantizer, with the settings ST's compiler takes best."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from npuscope.jobs import QUIET, Job, StoppedError
from npuscope.model.as_int8.pairs import LAST_AXIS, NOT_QUANTIZED
from npuscope.model.errors import ModelError, one_line
from npuscope.model.load import Source, source_of
from npuscope.model.serialize import to_model
from npuscope.model.upgrade.upgrade import INITIALIZERS_ARE_INPUTS_BELOW
from npuscope.numbers.adapt_inputs import adapt_inputs
from npuscope.numbers.runner import Runner, Sample
from npuscope.numbers.sample_sources import SampleReader
from npuscope.record import dataclass

METHODS = ("minmax", "entropy", "percentile")

OPSET = 13
"""The first whose QuantizeLinear has an axis, which scales per channel need."""

COERCED = frozenset({"Softmax", "LogSoftmax", "Hardmax"})
"""Operators that took all axes from one on together until then."""

IR = 7
"""The version of the format that came with it."""

FLOATS = frozenset({"float32"})

MOST_BYTES = (1 << 31) - (1 << 20)
"""Of a model in one piece, with room for what the quantizer adds."""

METADATA = "npuscope.quantize"

RANDOM = "random, seed "
"""Begins where samples come from that `random_samples` drew."""

ERRORS = 3
"""onnxruntime's severity from which on it says something."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is quantized: int8 activations, int8 weights per channel, Q/DQ around every float operator."""

    method: str = "minmax"
    symmetric: bool = False
    """Every activation has zero point 0."""
    per_channel: bool = True
    exclude: tuple[str, ...] = ()
    """Names of nodes that stay float."""
    symmetric_tensors: tuple[str, ...] = ()
    """Of an asymmetric setting: the float tensors that have zero point 0 all the same."""
    ranges: tuple[tuple[str, float, float], ...] = ()
    """Float tensors quantized over a range of their own: (name, smallest, largest value)."""

    @property
    def title(self) -> str:
        """In words: 'minmax, symmetric, per channel'."""
        kind = "symmetric" if self.symmetric else "asymmetric"
        if self.symmetric_tensors and not self.symmetric:
            kind = f"symmetric where it pays ({len(self.symmetric_tensors)})"
        weights = "per channel" if self.per_channel else "per tensor"
        return f"{self.method}, {kind}, {weights}"


def quantize(
    source: Source, samples: Sequence[Sample], settings: Settings, drawn: str = "", job: Job = QUIET
) -> Source:
    """The int8 model of a float one, calibrated on samples of its inputs.

    1. `drawn` says where the samples come from; it is kept in the model's metadata with the settings.
    2. Raises ModelError where the model has no float operators, holds Q/DQ already, or cannot be quantized;
       StoppedError where the job is stopped.
    """
    proto = _prepared(source, settings)
    job.check()
    if samples:  # the quantizer runs it in this process: what hangs or swells does so in the other one first
        Runner(source, source.graph).run(adapt_inputs(source.graph, samples[0]))
    result = _run(source, proto, samples, settings, job)
    entry = result.metadata_props.add()
    entry.key = METADATA
    entry.value = f"{settings.title}; {len(samples)} samples{f' {drawn}' if drawn else ''}"
    return source_of(source.path, result)


def calibrated_at_random(model: Source) -> bool:
    """The float model's random samples set its scales, which keep what those hold and little more."""
    return any(
        entry.key == METADATA and f" samples {RANDOM}" in entry.value for entry in model.proto.metadata_props
    )


def _prepared(source: Source, settings: Settings) -> ModelProto:
    """A copy at an opset with per-channel scales, every node named. Raises ModelError."""
    from onnx import version_converter

    nodes = source.proto.graph.node
    if any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in nodes):
        raise ModelError(f"{source.path}: holds Q/DQ already; give the float model it was made from")
    if not any(
        source.graph.type(name).dtype in FLOATS for node in source.graph.nodes for name in node.outputs
    ):
        raise ModelError(f"{source.path}: has no float32 operators to quantize")
    proto = to_model(source, source.graph)
    _embed(source, proto)
    version = next((entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if not version:
        raise ModelError(
            f"{source.path}: imports no opset of ONNX's own operators, and only those are quantized"
        )
    if version < OPSET:
        _state_shapes(source, proto)
        try:
            proto = version_converter.convert_version(proto, OPSET)
        except Exception as error:  # onnx raises types of its own
            raise ModelError(
                f"{source.path}: opset {version} cannot be raised to {OPSET}, which scales per channel need "
                f"({one_line(str(error), 120)}); export it with a newer opset"
            ) from error
    names: set[str] = {node.name for node in proto.graph.node if node.name}
    unknown = [name for name in settings.exclude if name not in names]
    if unknown:
        raise ModelError(f"--exclude {unknown[0]!r}: the model has no node of this name")
    for index, node in enumerate(proto.graph.node):
        if not node.name:
            node.name = f"{node.op_type}_{index}"
            while node.name in names:
                node.name += "_"
            names.add(node.name)
    _own_initializers(proto)
    _lift_constants(proto)
    _free_names(proto)
    return proto


def _state_shapes(source: Source, proto: ModelProto) -> None:
    """Write the shapes that the conversion looks for: without them it puts a Softmax between a Flatten and a Reshape."""
    known = {value.name for value in (*proto.graph.value_info, *proto.graph.input, *proto.graph.output)}
    for node in proto.graph.node:
        name = next(iter(node.input), "")
        if node.op_type not in COERCED or not name or name in known:
            continue
        dims = source.graph.type(name).dims
        if dims is not None and source.graph.type(name).dtype in FLOATS:
            proto.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, dims))
            known.add(name)


def _embed(source: Source, proto: ModelProto) -> None:
    """Take in the weights that lie in other files: the int8 model needs none of those. Raises ModelError."""
    outside = [t for t in proto.graph.initializer if t.data_location == TensorProto.EXTERNAL]
    if proto.ByteSize() + sum(source.graph.constants[t.name].nbytes for t in outside) > MOST_BYTES:
        raise ModelError(f"{source.path}: has more than 2 GB of weights, which onnxruntime does not quantize")
    for tensor in outside:
        tensor.CopyFrom(numpy_helper.from_array(source.graph.constants[tensor.name].array(), tensor.name))


def _lift_constants(proto: ModelProto) -> None:
    """Make initializers of what Constant nodes hold: the quantizer takes only those for weights."""
    graph = proto.graph
    kept = []
    for node in graph.node:
        value = next((a.t for a in node.attribute if a.name == "value" and a.HasField("t")), None)
        if node.op_type != "Constant" or value is None or len(node.output) != 1:
            kept.append(NodeProto.FromString(node.SerializeToString()))
            continue
        tensor = graph.initializer.add()
        tensor.CopyFrom(value)
        tensor.name = node.output[0]
    if len(kept) < len(graph.node):
        del graph.node[:]
        graph.node.extend(kept)


def _free_names(proto: ModelProto) -> None:
    """Rename initializers whose names with digits behind them are taken: so the quantizer calls its copies of a bias."""
    graph = proto.graph
    if any(
        attribute.HasField("g") or attribute.graphs for node in graph.node for attribute in node.attribute
    ):
        return  # the bodies read them by name
    taken = {name for node in graph.node for name in node.output} | {value.name for value in graph.input}
    prefixes = set()
    for name in taken:
        end = len(name)
        while end and name[end - 1].isdecimal():
            end -= 1
            prefixes.add(name[:end])
    taken |= {tensor.name for tensor in graph.initializer} | {value.name for value in graph.output}
    renamed = {}
    for tensor in graph.initializer:
        if tensor.name in prefixes:
            name = f"{tensor.name}_constant"
            while name in taken or name in prefixes:
                name += "_"
            taken.add(name)
            renamed[tensor.name] = name
            tensor.name = name
    for node in graph.node if renamed else ():
        for place, name in enumerate(node.input):
            node.input[place] = renamed.get(name, name)


def _own_initializers(proto: ModelProto) -> None:
    """A file so old that each initializer is an input as well, in today's form: the quantizer adds initializers alone."""
    if proto.ir_version >= INITIALIZERS_ARE_INPUTS_BELOW:
        return
    graph = proto.graph
    initialized = {tensor.name for tensor in graph.initializer}
    inputs = [
        ValueInfoProto.FromString(v.SerializeToString()) for v in graph.input if v.name not in initialized
    ]
    del graph.input[:]
    graph.input.extend(inputs)
    proto.ir_version = IR


class _StoppableReader(SampleReader):
    """A calibration data reader that ends where the job is stopped."""

    def __init__(self, samples: Sequence[Sample], job: Job) -> None:
        self.job = job
        super().__init__(samples)

    def rewind(self) -> None:
        """Begin again."""
        self._rest = self.job.each(self.samples)


def _run(
    source: Source, proto: ModelProto, samples: Sequence[Sample], settings: Settings, job: Job
) -> ModelProto:
    """onnxruntime's quantizer. Raises ModelError."""
    import onnx
    from onnxruntime import quantization as tool

    methods = {
        "minmax": tool.CalibrationMethod.MinMax,
        "entropy": tool.CalibrationMethod.Entropy,
        "percentile": tool.CalibrationMethod.Percentile,
    }
    operators = sorted({node.op_type for node in proto.graph.node} - NOT_QUANTIZED)
    with working_folder() as folder, _silent():
        place = folder / "int8.onnx"
        try:
            tool.quantize_static(
                proto,
                str(place),
                _StoppableReader(samples, job),
                quant_format=tool.QuantFormat.QDQ,
                op_types_to_quantize=operators,
                per_channel=settings.per_channel,
                activation_type=tool.QuantType.QInt8,
                weight_type=tool.QuantType.QInt8,
                nodes_to_exclude=list(settings.exclude),
                calibrate_method=methods[settings.method],
                extra_options={
                    "ActivationSymmetric": settings.symmetric,
                    "WeightSymmetric": True,
                    "QDQOpTypePerChannelSupportToAxis": {"MatMul": LAST_AXIS},
                    "TensorQuantOverrides": _overrides(settings),
                },
            )
            return onnx.load(str(place))
        except StoppedError:
            raise
        except Exception as error:  # the quantizer raises whatever fails inside it
            words = one_line(str(error), 200) or type(error).__name__
            raise ModelError(f"{source.path}: onnxruntime cannot quantize it: {words}") from error


FOLDERS = "npuscope-"
"""What the names of working folders begin with; the number of the process and something random follow."""

_folder: ContextVar[Path | None] = ContextVar("working folder of the quantizer", default=None)


@contextmanager
def working_folder() -> Iterator[Path]:
    """A folder for what the quantizer writes on its way, its own folders within: what a killed process leaves has one name."""
    for name in ("quantize", "quant_utils"):
        module = sys.modules.get(f"onnxruntime.quantization.{name}")
        if getattr(module, "tempfile", None) is tempfile:
            module.tempfile = _Within()  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory(prefix=f"{FOLDERS}{os.getpid()}-") as made:
        token = _folder.set(Path(made))
        try:
            yield Path(made)
        finally:
            _folder.reset(token)


class _Within:
    """`tempfile` for the quantizer: as it is, but for folders, which are made in the working folder of the thread."""

    def __getattr__(self, name: str) -> Any:
        return getattr(tempfile, name)

    @staticmethod
    def TemporaryDirectory(*given: Any, **named: Any) -> Any:  # noqa: N802 - the name it stands for
        return tempfile.TemporaryDirectory(*given, **{"dir": _folder.get(), **named})


def _overrides(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """What single tensors have of their own, as the quantizer takes it."""
    overrides: dict[str, dict[str, Any]] = {name: {"symmetric": True} for name in settings.symmetric_tensors}
    for name, low, high in settings.ranges:
        overrides.setdefault(name, {}).update(rmin=np.float32(low), rmax=np.float32(high))
    return {name: [values] for name, values in overrides.items()}


@contextmanager
def _silent() -> Iterator[None]:
    """Without what the quantizer says of itself on both streams. For the whole process: not beside other threads' output."""
    import onnxruntime

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(ERRORS)  # its warnings go to the terminal past Python's streams
    try:
        with redirect_stdout(StringIO()), np.errstate(all="ignore"):
            yield
    finally:
        logging.disable(before)
