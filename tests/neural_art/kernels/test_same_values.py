"""Operators that do the same to the same values get one verdict, however shapes and axes are written."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from builders.models import analysed
from builders.network_text import network

from npuscope.model.load import load
from npuscope.npu.verdict import Placement
from npuscope.snapshot import Snapshot

FORMS: dict[str, tuple[str, ...]] = {
    "rows and channels of one column exchanged": tuple(
        f"""x: 1x16x24x1
            c = Conv(x, w16x16x3x1) pads=[1,0,1,0]
            t = Transpose(c) perm={perm}
            b = Reshape(t, [1 24 16 1])
            y = Conv(b, w16x24x1x1)"""
        for perm in ("[0,2,3,1]", "[0,2,1,3]", "[0,3,2,1]")
    ),
    "vectors joined": tuple(
        f"""x: 1x16x8x8
            p = GlobalAveragePool(x)
            c = Conv(p, w24x16x1x1)
            d = Conv(p, w16x16x1x1)
            {lines}
            y = Gemm(r, w8x40) transB=1"""
        for lines in (
            "e = Concat(c, d) axis=1\nr = Reshape(e, [1 40])",
            "f = Reshape(c, [1 24])\ng = Reshape(d, [1 16])\nr = Concat(f, g) axis=1",
        )
    ),
    "a full constant": tuple(
        f"x: 1x16x8x8\nc = Conv(x, w16x16x1x1)\nd = Sub({shape}, c)\ny = Conv(d, w16x16x1x1)"
        for shape in ("w1x16x8x8", "w16x8x8")
    ),
    "channels padded behind a convolution": tuple(
        f"x: 1x16x8x8\n{conv}\np = Pad(a, [0 0 0 0 0 8 0 0])\ny = Conv(p, w16x24x1x1)"
        for conv in ("a = Conv(x, w16x16x1x1) ^-128", "c = Conv(x, w16x16x1x1) ^-128\na = Relu(c) ^-128")
    ),
    "a Pad that the convolution takes along": tuple(
        f"x: 1x16x8x8\nc = Conv(x, w16x16x1x1)\np = Pad(c, {pads})\ny = Conv(p, w16x16x3x3)"
        for pads in ("[0 0 1 1 0 0 1 1]", "[0 0 1 1 0 0 1 1], 0", "[1 1 1 1], 0, [2 3]", "[1 1 1 1], -, [-2 -1]")
    ),
    "a mean whose sizes are kept or not": tuple(
        f"x: 1x19x19x16\nm = ReduceMean(x, [1 2]) keepdims={kept}\nr = Reshape(m, [1 16])\ny = Gemm(r, w8x16) transB=1"
        for kept in (0, 1)
    ),
    "a mean of a whole map": tuple(
        f"x: 1x16x11x13\nm = {mean}\nr = Reshape(m, [1 16])\ny = Gemm(r, w8x16) transB=1"
        for mean in ("GlobalAveragePool(x)", "AveragePool(x) kernel_shape=[11,13]", "ReduceMean(x, [2 3])")
    ),
}  # fmt: skip


def compiled(text: str, toolchain: str, folder: Path) -> Snapshot:
    onnx.save(network(text), folder / "m.onnx")
    return analysed(load(str(folder / "m.onnx")), toolchain)


@pytest.mark.parametrize("toolchain", ["2.0", "2.2", "4.0"])
@pytest.mark.parametrize("name", FORMS)
def test_forms_run_alike(name: str, toolchain: str, tmp_path: Path) -> None:
    runs = []
    for text in FORMS[name]:
        snapshot = compiled(text, toolchain, tmp_path)
        off = sorted(report.placement.value for report in snapshot.layers if report.off_npu)
        views = toolchain < "3.0"  # up to 2.2 each view of an input or of what the CPU wrote is counted
        runs.append(
            (off, sum(bool(epoch.moves) for epoch in snapshot.epochs) if views else len(snapshot.epochs))
        )
    assert all(run == runs[0] for run in runs), runs


@pytest.mark.parametrize(
    ("conv", "perm", "placement"),
    [
        # the order of sizes as a unit wrote them, channels innermost, and as the result has them in planes or channels last
        ("1x16x24x1 w16x16x1x1", "[0,2,1,3]", Placement.HW),
        ("1x16x24x1 w16x16x1x1", "[0,3,1,2]", Placement.HYBRID),
        ("1x16x1x24 w16x16x1x1", "[0,3,2,1]", Placement.HW),
        ("1x16x1x24 w16x16x1x1", "[0,2,1,3]", Placement.HYBRID),
        ("1x16x16x24 w1x16x1x1", "[0,1,3,2]", Placement.HYBRID),
        ("1x16x16x24 w1x16x1x1", "[0,3,2,1]", Placement.HW),
    ],
)
def test_two_sizes_beside_ones(conv: str, perm: str, placement: Placement, tmp_path: Path) -> None:
    dims, weights = conv.split()
    text = f"x: {dims}\nc = Conv(x, {weights})\nt = Transpose(c) perm={perm}\ny = Sigmoid(t)"
    assert compiled(text, "2.2", tmp_path).by_name["t"].placement is placement


@pytest.mark.parametrize(
    ("dims", "perm", "placement"),
    [
        ("1x64x96x1", "[0,3,2,1]", Placement.HYBRID),
        ("1x64x96x1", "[0,2,1,3]", Placement.HYBRID),
        ("1x64x96x1", "[0,3,1,2]", Placement.HW),
        ("1x64x1x96", "[0,2,1,3]", Placement.HW),
        ("1x64x1x1", "[0,2,1,3]", Placement.HW),
        ("1x1x64x96", "[0,2,1,3]", Placement.HW),
        ("1x1x96x64", "[0,1,3,2]", Placement.HYBRID),
    ],
)
def test_an_input_lies_as_its_dimensions_say(
    dims: str, perm: str, placement: Placement, tmp_path: Path
) -> None:
    snapshot = compiled(f"x: {dims}\nt = Transpose(x) perm={perm}\ny = Sigmoid(t)", "2.2", tmp_path)
    assert snapshot.by_name["t"].placement is placement


@pytest.mark.parametrize("between", ["a = Sigmoid(t)", "a = Relu(t)"])
def test_what_was_turned_is_turned_back_as_freely(between: str, tmp_path: Path) -> None:
    """The mask of LiSenNet (LarocheC/eco8-neaixt, 4.0.1): neither is in its report."""
    text = f"""x: 1x2x1x257
        c = Conv(x, w2x2x1x1)
        t = Transpose(c) perm=[0,3,2,1]
        {between}
        u = Transpose(a) perm=[0,3,2,1]
        y = Sigmoid(u)"""
    layers = compiled(text, "4.0", tmp_path).by_name
    assert [layers[name].placement for name in "tu"] == [Placement.HW] * 2


def test_a_batch_of_matrices_is_turned_as_the_heads_of_one(tmp_path: Path) -> None:
    for shape, perm in (("[1 2 32 16]", "[0,1,3,2]"), ("[2 32 16]", "[0,2,1]")):
        text = f"""x: 1x16x8x8
            c = Conv(x, w16x16x1x1)
            r = Reshape(c, {shape})
            t = Transpose(r) perm={perm}
            b = Reshape(t, [1 32 32 1])
            y = Conv(b, w16x32x1x1)"""
        assert compiled(text, "4.0", tmp_path).by_name["t"].placement is Placement.HYBRID, shape


def test_a_pad_of_ones_stays(tmp_path: Path) -> None:
    """Up to opset 10 what a Pad adds is an attribute."""
    for value, taken in ((0.0, True), (1.0, False)):
        text = (
            f"opset: 10\nx: 1x16x8x8\np = Pad(x) pads=[0,0,1,1,0,0,1,1] value={value}\ny = Conv(p, w8x16x3x3)"
        )
        snapshot = compiled(text, "4.0", tmp_path)
        assert (snapshot.by_name["p"].epoch is None) is taken


@pytest.mark.parametrize(
    "part",
    [
        "d = Conv(x, w16x16x1x1) @0.1",
        "e = Conv(x, w16x16x1x1) @0.2\nd = QuantizeLinear(e) @0.1",
        "e = Conv(x, w16x16x1x1) @0.2\nd = Sigmoid(e) @0.1",
        "d = ConvTranspose(x, w16x16x1x1) @0.1",
    ],
)
def test_rows_lie_one_after_another_behind_any_unit(part: str, tmp_path: Path) -> None:
    text = f"x: 1x16x8x8\nc = Conv(x, w16x16x1x1) @0.1\n{part}\nb = Concat(c, d) axis=2 @0.1\ny = Conv(b, w8x16x1x1)"
    for toolchain in ("2.2", "4.0"):
        assert compiled(text, toolchain, tmp_path).by_name["b"].placement is Placement.HW


@pytest.mark.parametrize(
    ("layer", "placement"),
    [
        ("DepthToSpace(c) blocksize=2 mode='CRD'", Placement.SW_FLOAT),
        ("Pad(c, [0 0 1 1 0 0 1 1]) mode='reflect'", Placement.SW_FLOAT),
        ("Slice(c, [0], [8], [3], [2])", Placement.SW_FLOAT),
        ("Resize(c, -, {1 1 2 2}) mode='linear'", Placement.SW_INT),
        ("Div(c, t)", Placement.SW_INT),
    ],
)
def test_without_a_unit_only_what_has_a_kernel_of_integers_stays_in_them(
    layer: str, placement: Placement, tmp_path: Path
) -> None:
    """ll_sw_integer.h has none for operators that move values."""
    text = f"x: 1x16x8x8\ns: 1x16x1x8\nc = Conv(x, w16x16x1x1)\nt = Div(s, c)\nb = {layer}\ny = Sigmoid(b)"
    assert compiled(text, "2.2", tmp_path).by_name["b"].placement is placement
