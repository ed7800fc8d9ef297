"""The edits that may bring a layer onto the NPU by what it is: its quantization, its operator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from npuscope.edits.edit import Edit
from npuscope.edits.kinds.batchnorm_to_conv import BatchNormToConv
from npuscope.edits.kinds.bias_to_add import BiasToAdd
from npuscope.edits.kinds.compiler_form import CompilerForm
from npuscope.edits.kinds.conv_to_gemm import ConvToGemm
from npuscope.edits.kinds.depth_to_dcr import DepthToDcr
from npuscope.edits.kinds.div_to_mul import DivToMul
from npuscope.edits.kinds.drop_pair import DropPair
from npuscope.edits.kinds.fold_batchnorm import FoldBatchNorm
from npuscope.edits.kinds.fold_stride import FoldStride
from npuscope.edits.kinds.hard_sigmoid_to_clip import HardSigmoidToClip
from npuscope.edits.kinds.int8_borders import Int8Borders
from npuscope.edits.kinds.move_quantize import MoveQuantize
from npuscope.edits.kinds.pool_chain import PoolChain
from npuscope.edits.kinds.pool_to_conv import PoolToConv
from npuscope.edits.kinds.quantize_layer import QuantizeLayer
from npuscope.edits.kinds.resize_nearest import ResizeFloor, ResizeNearest
from npuscope.edits.kinds.same_operator import SameOperator
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.edits.kinds.sub_to_add import SubToAdd
from npuscope.edits.kinds.swish_to_mul import KINDS as SWISHES
from npuscope.edits.kinds.swish_to_mul import SwishToMul
from npuscope.edits.kinds.to_qdq import ToQdq
from npuscope.edits.kinds.widen_kernel import WidenKernel
from npuscope.model.layers import QUANTIZE, Layer
from npuscope.planning.proposals import Preview, preview
from npuscope.planning.stripes import propose_stripes
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot

MOST_GROUPS = 16
"""A Conv of more groups is not made as many Convs of its own accord."""


def propose_fixes(session: Session, snapshot: Snapshot, layer: str) -> Iterator[Preview]:
    """The edits of a layer that can be made as they are, those that change no number first.

    1. What runs on the NPU already gets none, but for a Q/DQ pair that does nothing.
    2. Edits that change what the model computes (a linear Resize made nearest) or what the application must do
       (integer borders) are for the user to ask for.
    """
    report = snapshot.by_name.get(layer)
    if report is None:
        return
    for edit in _edits(report):
        found = preview(session, snapshot, edit)
        if isinstance(found, Preview):
            yield found


ANSWERS: Mapping[str, tuple[Callable[[str], Edit], ...]] = {
    "N110": (ConvToGemm,),
    "N112": (QuantizeLayer,),
    "N311": (FoldBatchNorm, BatchNormToConv),
    "N504": (ResizeNearest,),
    "N601": (Int8Borders,),
    "N701": (FoldStride,),
    "N702": (CompilerForm,),
    "N703": (CompilerForm,),
    "N706": (CompilerForm,),
}
"""Code of a finding -> edits after which it is no longer said, though they save no time of their own."""


def propose_answers(session: Session, snapshot: Snapshot, layer: str) -> Iterator[Preview]:
    """The edits that answer what is said of a layer, for a user to choose: not all keep the model's function.

    Also stripes of a Conv that external memory slows down: they save time, but at the price of work for the CPU.
    """
    report = snapshot.by_name.get(layer)
    codes = dict.fromkeys(finding.code for finding in report.findings) if report is not None else {}
    for edit in dict.fromkeys(make(layer) for code in codes for make in ANSWERS.get(code, ())):
        found = preview(session, snapshot, edit)
        if not isinstance(found, Preview):
            continue
        still = any(finding.code in codes and finding.code in ANSWERS for finding in found.findings)
        if found.after.rank < found.before.rank or not still:
            yield found
    yield from propose_stripes(session, snapshot, layer)


def _one_per_group(layer: Layer) -> Iterator[Edit]:
    """A Conv of a few groups as that many Convs."""
    groups = layer.core.integer("group", 1)
    kernels = layer.weight.constant.shape[0] if layer.weight is not None and layer.weight.constant else 0
    if 1 < groups <= MOST_GROUPS and kernels % groups == 0:
        yield SplitOutput(layer.name, (kernels // groups,) * groups)


def _edits(report: LayerReport) -> Iterator[Edit]:
    name, kind = report.name, report.layer.kind
    if kind == QUANTIZE:
        yield DropPair(name)
    if not report.off_npu:
        return
    if report.layer.qoperator:
        yield ToQdq(name)  # by itself it brings nothing; what follows can then be tried
        return
    yield MoveQuantize(name)
    if kind == "Resize":
        yield ResizeFloor(name)
    if kind == "BatchNormalization":
        yield BatchNormToConv(name)
        yield FoldBatchNorm(name)
        return
    if kind == "Sub":
        yield SubToAdd(name)
    if kind in ("Gemm", "Conv", "ConvTranspose"):
        yield BiasToAdd(name)
    if kind == "DepthToSpace":
        yield DepthToDcr(name)
    if kind == "HardSigmoid":
        yield HardSigmoidToClip(name)
    if kind in SWISHES:
        yield SwishToMul(name)
    if kind == "Div":
        yield DivToMul(name)
    if kind in ("AveragePool", "GlobalAveragePool", "ReduceMean"):
        yield PoolChain(name)
        yield PoolToConv(name)
    if kind == "Conv":
        yield WidenKernel(name)
        yield from _one_per_group(report.layer)
    yield SameOperator(name)
    yield QuantizeLayer(name)
