"""Fixed sizes: shapes are stated all through the model, nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from builders import models
from builders.edit_checks import edited, opened, refused, report, written
from builders.layer_chains import ChainSpec, chain, chains
from builders.longer import suite_or_long
from builders.weighted_layers import saved
from hypothesis import given, settings
from hypothesis import strategies as st

from npuscope.edits.edit import Exactness
from npuscope.edits.kinds.fix_dimensions import FixDimensions
from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.model.load import Source, load
from npuscope.npu.verdict import Placement
from npuscope.numbers.runner import Runner
from npuscope.session import Session

FRAMES = """<ir_version: 8, opset_import: ["" : 13]>
g (float[batch, 8, frames, ?] x, float[1, rows] z) => (float[batch, 4, f2, w] y, float[1, rows] u)
<float[4,8,3,3] k> {
  [conv] c = Conv <pads = [1,1,1,1]> (x, k) [relu] r = Relu(c) [shape] sh = Shape(r) [again] y = Reshape(r, sh)
  [t] u = Tanh(z)
}"""


@pytest.fixture
def frames(tmp_path: Path) -> Source:
    made = onnx.parser.parse_model(FRAMES.replace("<float[4,8,3,3] k>", ""))
    made.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((4, 8, 3, 3), np.float32), "k"))
    return saved(made, tmp_path)


def again(session: Session, folder: Path) -> Source:
    (folder / "again.onnx").write_bytes(written(session))
    return load(folder / "again.onnx")


def test_every_shape_is_known_once_the_inputs_are(frames: Source, tmp_path: Path) -> None:
    session = opened(frames)
    assert report(session, "conv").cost is None
    session = edited(session, FixDimensions((("frames", 6), ("x:3", 10), ("rows", 5))))
    assert session.graph.type("y").dims == (1, 4, 6, 10) and session.graph.type("u").dims == (1, 5)
    assert report(session, "conv").cost is not None
    reread = again(session, tmp_path)
    assert reread.free_batch == ()
    declared = {value.name: value for value in (*reread.proto.graph.input, *reread.proto.graph.output)}
    assert [d.dim_value for d in declared["x"].type.tensor_type.shape.dim] == [1, 8, 6, 10]
    assert [d.dim_value for d in declared["y"].type.tensor_type.shape.dim] == [1, 4, 6, 10]
    sample = {"x": np.ones((1, 8, 6, 10), np.float32), "z": np.ones((1, 5), np.float32)}
    first, second = (Runner(s, g).run(sample) for s, g in ((frames, frames.graph), (reread, reread.graph)))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


COMPUTED = """<ir_version: 8, opset_import: ["" : 13]>
g (float[n, 6, frames] x) => (float[n, a, b] y)
<int64[1] one = {1}, int64[1] three = {3}, int64[1] rest = {-1}, int64 third = {2}, int64[1] zero = {0}> {
  r = Relu(x) sh = Shape(r) head = Slice(sh, zero, one) last = Gather(sh, third) wide = Unsqueeze(last, zero)
  twice = Mul(wide, three) to = Concat <axis = 0> (head, twice, rest) [L] q = Reshape(r, to) y = Sigmoid(q)
}"""


def test_shapes_that_the_model_computes_become_known(tmp_path: Path) -> None:
    session = edited(opened(models.from_text(COMPUTED, tmp_path)), FixDimensions((("frames", 4),)))
    assert session.graph.type("y").dims == (1, 12, 2)


@settings(max_examples=suite_or_long(8, 375), deadline=None)
@given(height=st.integers(1, 9), width=st.integers(1, 9), rows=st.integers(1, 9), seed=st.integers(0, 99))
def test_any_sizes_give_the_numbers_the_free_model_gives(
    height: int, width: int, rows: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(seed)
    made = onnx.parser.parse_model(FRAMES.replace("<float[4,8,3,3] k>", ""))
    kernel = rng.normal(size=(4, 8, 3, 3)).astype(np.float32)
    made.graph.initializer.append(onnx.numpy_helper.from_array(kernel, "k"))
    folder = tmp_path_factory.mktemp("sizes")
    source = saved(made, folder)
    fixed = edited(opened(source), FixDimensions((("frames", height), ("x:3", width), ("rows", rows))))
    reread = again(fixed, folder)
    sample = {
        "x": rng.normal(size=(1, 8, height, width)).astype(np.float32),
        "z": rng.normal(size=(1, rows)).astype(np.float32),
    }
    first, second = (Runner(s, s.graph).run(sample) for s in (source, reread))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@settings(max_examples=suite_or_long(8, 375), deadline=None)
@given(spec=chains())
def test_a_free_batch_is_fixed_at_one(spec: ChainSpec, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = chain(spec)
    made.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    made.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "N"
    folder = tmp_path_factory.mktemp("batch")
    source = saved(made, folder)
    assert source.free_batch == ("x",)
    session = edited(opened(source), FixDimensions())
    assert again(session, folder).free_batch == ()
    padded = edited(session, PadChannels("A", spec.first + 1))
    reread = again(padded, folder)
    assert reread.free_batch == () and reread.graph.type("x").dims == source.graph.type("x").dims
    assert "fixed already" in refused(session, FixDimensions())


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((), "axis 2 of input x would still be free; give frames=N"),
        ((("frames", 6),), "axis 3 of input x would still be free; give x:3=N"),
        ((("frames", 6), ("x:3", 4)), "axis 1 of input z would still be free; give rows=N"),
        (
            (("frames", 6), ("x:3", 4), ("rows", 2), ("time", 3)),
            "no input of the model has a free size 'time'; free are",
        ),
        ((("sizes", 4),), "no input of the model has a free size 'sizes'; free are"),
        ((("x:1", 9),), "axis 1 of input x has size 8, which is not free"),
        ((("frames", 0),), "size 0 for frames is not one the compiler takes; give 1 to 65535"),
    ],
)
def test_sizes_that_leave_something_open_are_refused(
    frames: Source, sizes: tuple[tuple[str, int], ...], message: str
) -> None:
    assert message in refused(opened(frames), FixDimensions(sizes))


@pytest.mark.parametrize(
    ("body", "sizes", "message"),
    [
        ("y = MaxPool <kernel_shape = [5, 5]> (x)", (("h", 3), ("w", 9)), "a window of 5 for data of 3"),
        (
            "p = AveragePool <kernel_shape = [5, 5]> (x) y = Relu(p)",
            (("h", 9), ("w", 4)),
            "a window of 5 for data of 4",
        ),
        ("t = Transpose <perm = [0, 1, 3, 2]> (x) y = Add(x, t)", (("h", 3), ("w", 4)), "Add"),
    ],
)
def test_sizes_that_an_operator_does_not_take_are_refused(
    body: str, sizes: tuple[tuple[str, int], ...], message: str, tmp_path: Path
) -> None:
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (float[1, 3, h, w] x) => (float[1, 3, a, b] y) {{ {body} }}"""
    session = opened(models.from_text(text, tmp_path))
    reason = refused(session, FixDimensions(sizes))
    assert reason.startswith("these sizes do not fit ") and message in reason
    edited(session, FixDimensions((("h", 9), ("w", 9))))


def test_what_cannot_be_inferred_keeps_what_the_file_says(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13, "custom" : 1]>
    g (float[n, 3] x) => (float[1, 7] y) <float[1,7] h> { a = custom.Mystery(x) [L] y = Relu(a) }"""
    source = models.from_text(text.replace("<float[1,7] h>", ""), tmp_path)
    outcome = opened(source).edit(FixDimensions())
    assert isinstance(outcome, Session) and outcome.graph.type("y").dims == (1, 7)
    assert Placement.HW.rank == 0


def test_edits_are_values() -> None:
    assert FixDimensions((("batch", 1), ("frames", 30))).describe() == "fix sizes batch=1, frames=30"
    assert FixDimensions().describe() == "fix the batch at 1"
    assert FixDimensions().exactness is Exactness.BIT_EXACT
