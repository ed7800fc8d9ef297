"""Edits on top of each other, on whole models: each keeps its word whatever was done before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import models
from builders.edit_checks import checked, opened, written

from npuscope.edits.edit import Edit, Exactness, Refusal
from npuscope.edits.kinds.batchnorm_to_conv import BatchNormToConv
from npuscope.edits.kinds.div_to_mul import DivToMul
from npuscope.edits.kinds.drop_pair import DropPair
from npuscope.edits.kinds.fold_batchnorm import FoldBatchNorm
from npuscope.edits.kinds.fold_stride import FoldStride
from npuscope.edits.kinds.int8_borders import Int8Borders
from npuscope.edits.kinds.move_quantize import MoveQuantize
from npuscope.edits.kinds.pool_to_conv import PoolToConv
from npuscope.edits.kinds.quantize_layer import QuantizeLayer
from npuscope.edits.kinds.resize_nearest import ResizeFloor, ResizeNearest
from npuscope.edits.kinds.same_operator import SameOperator
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.edits.kinds.split_rows import SplitRows
from npuscope.edits.kinds.sub_to_add import SubToAdd
from npuscope.edits.kinds.widen_kernel import WidenKernel
from npuscope.files.onnx_file import write
from npuscope.model.layers import Layer
from npuscope.model.load import load
from npuscope.npu.verdict import Placement
from npuscope.numbers.calibration import calibrated
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.verify_models import verify
from npuscope.session import Session
from npuscope.snapshot import analyse

BY_LAYER = (
    Int8Borders, MoveQuantize, DropPair, QuantizeLayer, FoldBatchNorm, BatchNormToConv, SubToAdd, SameOperator,
    DivToMul, PoolToConv, ResizeFloor, ResizeNearest, WidenKernel, FoldStride,
)  # fmt: skip
"""Edits that need no more than the name of a layer."""


STRIPED = 4
"""Layers of a model that are cut in rows; each takes a while to verify."""


def edits_of(layer: Layer, made: Counter[str]) -> Iterator[Edit]:
    """Every edit that might be made of a layer."""
    for kind in BY_LAYER:
        yield kind(layer.name)
    dims = layer.outputs[0].dims if layer.outputs else None
    if dims is not None and len(dims) > 2 and dims[2] > 3 and made["split-rows"] < STRIPED:
        yield SplitRows(layer.name, (dims[2] // 3, dims[2] - dims[2] // 3))
        yield SplitOutput(f"{layer.name}_stripe0", (1, dims[1] - 1))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("mobilenet_mini_int8", {"int8-borders", "fold-stride", "split-rows", "split-out", "pool-to-conv"}),
        ("attention_block_int8", {"int8-borders", "quantize", "sub-to-add", "same-operator", "pool-to-conv"}),
        ("denoiser_lstm_float", {"quantize"}),
    ],
)
def test_every_edit_that_can_be_made_keeps_its_word(name: str, wanted: set[str], tmp_path: Path) -> None:
    source = load(models.SAMPLES / f"{name}.onnx")
    session = opened(source, "2.2")
    samples = random_samples(source, 1)
    made: Counter[str] = Counter()
    states = [written(session)]
    for layer in session.layers.layers:
        for edit in edits_of(layer, made):
            if isinstance(edit, QuantizeLayer):
                scaled = calibrated(source, session.graph, edit, samples, layers=session.layers)
                edit = scaled if isinstance(scaled, QuantizeLayer) else edit
            edited = session.edit(edit)
            if isinstance(edited, Refusal):
                assert str(edited) and "\n" not in str(edited)
                continue
            checked(edited)
            verification = verify(session, edited, inputs=samples)
            assert verification.bit_exact or edit.exactness is not Exactness.BIT_EXACT
            assert edit.exactness is not Exactness.ROUNDING or (verification.sqnr_db_min or 99) > 20
            made[edit.kind] += 1
            session = edited
            states.append(written(session))
    assert wanted <= made.keys()
    exported = write(session, tmp_path / "edited.onnx")
    assert "onnxruntime" in exported.checks and not exported.complaints
    assert verify(session, load(exported.path), inputs=samples).bit_exact
    for expected in reversed(states):
        assert written(session) == expected
        session = session.undo()


def test_a_float_model_is_quantized_layer_by_layer() -> None:
    source = load(models.SAMPLES / "denoiser_lstm_float.onnx")
    session = opened(source)
    samples = random_samples(source, 4)
    before = analyse(session)
    for report in before.off_npu:
        edit = calibrated(source, session.graph, QuantizeLayer(report.name), samples, layers=session.layers)
        result = session.edit(edit) if isinstance(edit, QuantizeLayer) else session
        session = result if isinstance(result, Session) else session
    after = analyse(session)
    assert {report.placement for report in after.off_npu} <= {Placement.SW_INT}
    assert after.summary.off_npu <= 3 < before.summary.off_npu
    result = verify(source, session, inputs=samples)
    assert result.sqnr_db_min is not None and result.sqnr_db_min > 20
