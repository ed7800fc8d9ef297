"""Forms of operators that no compiled network shows: on the NPU like the usual form, and said to be unknown."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from builders.models import analysed, from_text
from builders.network_text import network

from npuscope.model.load import load
from npuscope.npu.verdict import Confidence, Placement
from npuscope.snapshot import LayerReport

WEIGHTS = "w = ConstantOfShape <value: tensor = int8[1] {1}> (n) wf = DequantizeLinear(w, s, z) "
MAP = "1,8,12,12"


def judged(shape: str, result: str, body: str, numbers: str, version: str, folder: Path) -> LayerReport:
    """The only layer of a network of int8, beside Q and DQ; `numbers` are the int64 constant n."""
    count = numbers.count(",") + 1
    text = f"""<ir_version: 8, opset_import: ["" : 17]>
g (int8[{shape}] x) => (int8[{result}] y) <float s = {{0.1}}, int8 z = {{0}}, int64[{count}] n = {{{numbers}}}>
{{ xf = DequantizeLinear(x, s, z) {body} y = QuantizeLinear(r, s, z) }}"""
    return next(
        each
        for each in analysed(from_text(text, folder), version).layers
        if not each.layer.kind.endswith("eLinear")
    )


ROUTINES = {"values 1 x 1 x 2 times"}
"""Forms whose usual form is a routine."""

UNSEEN = {
    "window of 11": (MAP, "1,8,1,1", "r = MaxPool <kernel_shape = [11, 11], strides = [11, 11]> (xf)", "0"),
    "values 1 x 1 x 2 times": (
        MAP, "1,8,12,24",
        'k = Cast <to = 1> (n) r = Resize <mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"> (xf, , k)',
        "1,1,1,2",
    ),
    # what of it is named, shapes, the operator, the constant n
    "multiplier of 2": (MAP, "1,16,10,10", WEIGHTS + "r = Conv <group = 8> (xf, wf)", "16,1,3,3"),
    "4 groups": ("1,8,12", "1,8,10", WEIGHTS + "r = Conv <group = 4> (xf, wf)", "8,2,3"),
    "8 groups": (MAP, "1,8,14,14", WEIGHTS + "r = ConvTranspose <group = 8> (xf, wf)", "8,1,3,3"),
    "dilation of 2": (MAP, "1,8,16,16", WEIGHTS + "r = ConvTranspose <dilations = [2, 2]> (xf, wf)", "8,8,3,3"),
    "negative amount of -1": (MAP, "1,8,11,11", "r = Pad (xf, n)", "0,0,-1,-1,0,0,0,0"),
    "pads of 1": (MAP, MAP, "r = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (xf)", "0"),
    "ends 1 behind": (
        MAP, "1,8,6,6", "r = MaxPool <kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1> (xf)", "0",
    ),
    "transA": ("8,12", "12,4", WEIGHTS + "r = Gemm <transA = 1> (xf, wf)", "8,4"),
    "along the batch": (MAP, "2,8,12,12", "r = Concat <axis = 0> (xf, xf)", "0"),
    "bias of int8": (
        MAP, "1,8,10,10", WEIGHTS + "b = Constant <value = int8[8] {1,2,3,4,5,6,7,8}> () "
        "bf = DequantizeLinear(b, s, z) r = Conv (xf, wf, bf)", "8,8,3,3",
    ),
    "computed": (MAP, MAP, "r = PRelu (xf, xf)", "0"),
    "data of each run": (
        MAP, MAP, "k = Constant <value = float[8] {1,1,1,1,1,1,1,1}> () r, m, v = BatchNormalization <training_mode = 1> (xf, k, k, k, k)", "0",
    ),
    "at random": (
        MAP, MAP, "t = Constant <value = bool {1}> () p = Constant <value = float {0.5}> () r = Dropout (xf, p, t)", "0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", UNSEEN)
@pytest.mark.parametrize("version", ["2.0", "2.2", "4.0"])
def test_unseen_forms_are_called_unknown(form: str, version: str, tmp_path: Path) -> None:
    report = judged(*UNSEEN[form], version, tmp_path)
    finding = next(f for f in report.findings if f.code == "N111")
    assert form in finding.message and finding.confidence is Confidence.UNKNOWN
    assert report.placement is (Placement.HYBRID if form in ROUTINES else Placement.HW)


USUAL = {
    "one kernel a channel": (MAP, "1,8,10,10", WEIGHTS + "r = Conv <group = 8> (xf, wf)", "8,1,3,3"),
    "one group": (MAP, "1,8,14,14", WEIGHTS + "r = ConvTranspose <group = 1> (xf, wf)", "8,8,3,3"),
    "pads": (MAP, "1,8,14,14", "r = Pad (xf, n)", "0,0,1,1,0,0,1,1"),
    "counted": (
        MAP, MAP, "r = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = 1> (xf)", "0",
    ),
    "divides": (MAP, "1,8,6,6", "r = MaxPool <kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1> (xf)", "0"),
    "channels": (MAP, "1,16,12,12", "r = Concat <axis = 1> (xf, xf)", "0"),
}  # fmt: skip


@pytest.mark.parametrize("form", USUAL)
def test_usual_forms_are_not(form: str, tmp_path: Path) -> None:
    assert not [f for f in judged(*USUAL[form], "2.2", tmp_path).findings if f.code == "N111"]


@pytest.mark.parametrize(
    ("result", "numbers", "words", "confidence"),
    [
        ("1,12,12,12", "0,0,0,0,0,4,0,0", "adds 4 to the channels", Confidence.INFERRED),
        ("1,6,12,12", "0,-2,0,0,0,0,0,0", "takes 2 from the channels", Confidence.UNKNOWN),
        ("2,8,12,12", "1,0,0,0,0,0,0,0", "adds 1 to the batch", Confidence.UNKNOWN),
    ],
)
def test_pads_of_channels_and_batches(
    result: str, numbers: str, words: str, confidence: Confidence, tmp_path: Path
) -> None:
    report = judged(MAP, result, "r = Pad (xf, n)", numbers, "2.2", tmp_path)
    finding = next(f for f in report.findings if f.code == "N505")
    assert words in finding.message and finding.confidence is confidence


def test_unequal_channels_behind_a_conv1d(tmp_path: Path) -> None:
    """Those that a Reshape made rows of were seen: the boxes and scores of a YOLO."""
    heads = "c = Conv(x, w8x8x3) pads=[1,1]\nd = Conv(x, w16x8x3) pads=[1,1]"
    boxes = (
        "e = Conv(m, w8x8x1x1)\nf = Conv(m, w16x8x1x1)\nc = Reshape(e, [1 8 64])\nd = Reshape(f, [1 16 64])"
    )
    for text, named in ((f"x: 1x8x64\n{heads}", True), (f"m: 1x8x8x8\n{boxes}", False)):
        onnx.save(network(f"{text}\nj = Concat(c, d) axis=1\ny = Sigmoid(j)"), tmp_path / "m.onnx")
        joined = analysed(load(str(tmp_path / "m.onnx")), "4.0").by_name["j"]
        assert any(finding.code == "N111" for finding in joined.findings) is named
        assert joined.placement is Placement.HW
