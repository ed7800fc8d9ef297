"""Reshapes and Transposes in a row, written as the one thing they do: every value stays where it was."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest
from builders.edit_checks import FEW, edited, opened, refused, report
from builders.models import from_text
from hypothesis import given
from hypothesis import strategies as st

from npuscope.edits.kinds.plain_moves import PlainMoves
from npuscope.npu.verdict import Placement
from npuscope.numbers.verify_models import verify
from npuscope.planning.planner import plan
from npuscope.snapshot import analyse


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("moves")


Move = tuple[int, ...]
"""Sizes of a Reshape, or (behind a -1) the order of a Transpose."""


def row(
    given_: Move, moves: list[Move], sizes: Move, pairs: bool, real: bool = False, begin: str = ""
) -> str:
    """Moves of a quantized map, with or without a pair between them, and what the last one's sizes are."""
    shape = ",".join(map(str, given_))
    constants, body, tensor = [], [], "f"
    for i, move in enumerate(moves):
        name = "[op] " if i == 0 else ""
        if move[0] == -1:
            body.append(f"{name}m{i} = Transpose <perm = [{', '.join(map(str, move[1:]))}]> ({tensor})")
        else:
            constants.append(f"int64[{len(move)}] c{i} = {{{', '.join(map(str, move))}}}")
            body.append(f"{name}m{i} = Reshape({tensor}, c{i})")
        tensor = f"m{i}"
        if pairs and i < len(moves) - 1:
            body.append(f"q{i} = QuantizeLinear(m{i}, s, z) d{i} = DequantizeLinear(q{i}, s, z)")
            tensor = f"d{i}"
    result = ",".join(map(str, sizes))
    ends = f"float[{result}] y" if real else f"int8[{result}] y"
    last = f"y = Relu({tensor})" if real else f"y = QuantizeLinear({tensor}, s, z)"
    more = ", ".join(["float s = {0.1}", "int8 z = {5}", *constants])
    return f"""<ir_version: 8, opset_import: ["" : 13]>
    g (int8[{shape}] x) => ({ends}) <{more}>
    {{ f = DequantizeLinear(x, s, z) {" ".join(body)} {last} }}"""


def shuffled(mode: str, block: int, fewer: int, rows: int, columns: int) -> tuple[list[Move], Move]:
    """A DepthToSpace over six dimensions."""
    sizes = (1, fewer, rows * block, columns * block)
    if mode == "CRD":
        return [(1, fewer, block, block, rows, columns), (-1, 0, 1, 4, 2, 5, 3), sizes], sizes
    return [(1, block, block, fewer, rows, columns), (-1, 0, 3, 4, 1, 5, 2), sizes], sizes


@given(
    st.sampled_from(("DCR", "CRD")),
    st.integers(2, 3),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(1, 4),
    st.booleans(),
)
@FEW
def test_six_dimensions_are_a_depth_to_space(
    folder: Path, mode: str, block: int, fewer: int, rows: int, columns: int, pairs: bool
) -> None:
    moves, sizes = shuffled(mode, block, fewer, rows, columns)
    session = opened(from_text(row((1, fewer * block**2, rows, columns), moves, sizes, pairs), folder), "4.0")
    after = edited(session, PlainMoves("op"))
    assert verify(session.source, after, samples=2).bit_exact
    kinds = [
        layer.kind
        for layer in after.layers.layers
        if layer.kind not in ("QuantizeLinear", "DequantizeLinear")
    ]
    assert len(kinds) <= 1 and "Transpose" not in kinds


@given(st.integers(1, 3), st.integers(2, 3), st.integers(1, 3), st.booleans())
@FEW
def test_space_goes_to_depth(folder: Path, channels: int, block: int, rows: int, pairs: bool) -> None:
    sizes = (1, channels * block**2, rows, 2)
    moves: list[Move] = [(1, channels, rows, block, 2, block), (-1, 0, 3, 5, 1, 2, 4), sizes]
    session = opened(
        from_text(row((1, channels, rows * block, 2 * block), moves, sizes, pairs), folder), "4.0"
    )
    after = edited(session, PlainMoves("op"))
    assert verify(session.source, after, samples=2).bit_exact


@given(
    st.integers(2, 4),
    st.integers(2, 4),
    st.sampled_from(((3, 3), (5,), (1, 4))),
    st.booleans(),
    st.booleans(),
)
@FEW
def test_a_channel_shuffle_is_a_conv(
    folder: Path, groups: int, each: int, space: Move, pairs: bool, real: bool
) -> None:
    """As ShuffleNet is exported: over one dimension more than the map has."""
    sizes = (1, groups * each, *space)
    order = (-1, 0, 2, 1, *range(3, 3 + len(space)))
    session = opened(
        from_text(row(sizes, [(1, groups, each, *space), order, sizes], sizes, pairs, real), folder), "4.0"
    )
    after = edited(session, PlainMoves("op"))
    assert verify(session.source, after, samples=2).bit_exact
    assert any(layer.kind == "Conv" for layer in after.layers.layers)


@given(st.permutations(range(4)), st.booleans(), st.booleans())
@FEW
def test_what_undoes_itself_is_left_out(folder: Path, order: list[int], pairs: bool, real: bool) -> None:
    back = [order.index(axis) for axis in range(4)]
    text = row((1, 3, 4, 5), [(-1, *order), (-1, *back)], (1, 3, 4, 5), pairs, real)
    session = opened(from_text(text, folder), "4.0")
    after = edited(session, PlainMoves("op"))
    assert verify(session.source, after, samples=2).bit_exact
    assert not any(layer.kind == "Transpose" for layer in after.layers.layers)


def test_a_plan_leaves_out_transposes_between_layers_of_one_layout(tmp_path: Path) -> None:
    """Convs of a network in channels last, each between a pair of Transposes: what undoes the next is left out."""
    conv = "DequantizeLinear(wq, ws, z)"
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,8,4,4] x) => (int8[1,4,8,8] y) <float s = {{0.1}}, int8 z = {{0}}, float ws = {{0.01}}, int64[4] k = {{4, 4, 1, 1}}>
    {{ wq = ConstantOfShape <value: tensor = int8[1] {{3}}> (k) f = DequantizeLinear(x, s, z)
      a = Transpose <perm = [0, 3, 1, 2]> (f) qa = QuantizeLinear(a, s, z) da = DequantizeLinear(qa, s, z)
      w = {conv} b = Conv(da, w) qb = QuantizeLinear(b, s, z) db = DequantizeLinear(qb, s, z)
      c = Transpose <perm = [0, 2, 3, 1]> (db) qc = QuantizeLinear(c, s, z) dc = DequantizeLinear(qc, s, z)
      [op] d = Transpose <perm = [0, 3, 1, 2]> (dc) qd = QuantizeLinear(d, s, z) dd = DequantizeLinear(qd, s, z)
      v = {conv} e = Conv(dd, v) y = QuantizeLinear(e, s, z) }}""".replace("y) <", "y) <", 1)
    text = text.replace("int8[1,8,4,4] x", "int8[1,8,8,4] x")
    session = opened(from_text(text, tmp_path), "4.0")
    snapshot = analyse(session)
    said = [f for f in snapshot.by_name["op"].findings if f.code == "N503"]
    assert len(said) == 1 and "undoes" in said[0].message
    steps = plan(session, snapshot).steps
    assert [step.edit for step in steps] == [PlainMoves("op")]
    after = edited(session, steps[0].edit)
    assert verify(session.source, after, samples=2).bit_exact
    assert sum(layer.kind == "Transpose" for layer in after.layers.layers) == 1


def test_what_others_read_stays(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,4,2,3] x) => (int8[1,4,2,3] y, int8[1,2,2,2,3] v)
    <float s = {0.1}, int8 z = {5}, int64[5] a = {1, 2, 2, 2, 3}, int64[4] b = {1, 4, 2, 3}>
    { f = DequantizeLinear(x, s, z) p = Reshape(f, a) [op] t = Transpose <perm = [0, 2, 1, 3, 4]> (p) r = Reshape(t, b)
      y = QuantizeLinear(r, s, z) v = QuantizeLinear(p, s, z) }"""
    session = opened(from_text(text, tmp_path), "4.0")
    after = edited(session, PlainMoves("op"))
    assert verify(session.source, after, samples=2).bit_exact
    assert any(layer.kind == "Conv" for layer in after.layers.layers)


@pytest.mark.parametrize("order", [order for order in permutations(range(1, 4)) if order not in ((1, 2, 3),)])
def test_what_comes_to_nothing_known_is_refused(order: Move, tmp_path: Path) -> None:
    sizes = (1, *((3, 4, 5)[axis - 1] for axis in order))
    session = opened(from_text(row((1, 3, 4, 5), [(-1, 0, *order)], sizes, False), tmp_path), "4.0")
    assert "come to no DepthToSpace" in refused(session, PlainMoves("op"))


def test_a_pixel_shuffle_comes_to_a_routine(tmp_path: Path) -> None:
    """Over six dimensions all three are float on the CPU; as a DepthToSpace of mode DCR it is a routine."""
    moves, sizes = shuffled("DCR", 2, 4, 8, 8)
    session = opened(from_text(row((1, 16, 8, 8), moves, sizes, True), tmp_path), "4.0")
    assert report(session, "op").placement is Placement.SW_FLOAT
    after = analyse(edited(session, PlainMoves("op")))
    assert [r.placement for r in after.layers if r.layer.kind == "DepthToSpace"] == [Placement.HYBRID]


EACH = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,4,4,3] x) => (float[1,4,4,3] y)
<float[4] s = {0.1, 0.3, 0.2, 0.5}, int8[4] z = {5, 5, 1, 2}, int64[5] a = {1, 2, 2, 4, 3}, int64[4] b = {1, 4, 4, 3}>
{ f = DequantizeLinear <axis = 1> (x, s, z) MOVES }"""


def test_scales_of_channels_are_not_turned(tmp_path: Path) -> None:
    """A pair between two Transposes quantizes other channels than the one before them."""
    moves = "[op] t = Transpose <perm = [0, 2, 1, 3]> (f) q = QuantizeLinear <axis = 1> (t, s, z) "
    moves += "d = DequantizeLinear <axis = 1> (q, s, z) [two] y = Transpose <perm = [0, 2, 1, 3]> (d)"
    session = opened(from_text(EACH.replace("MOVES", moves), tmp_path), "4.0")
    for layer in ("op", "two"):
        assert "come to no" in refused(session, PlainMoves(layer))


def test_exchanged_channels_are_not_brought_to_scales_of_others(tmp_path: Path) -> None:
    moves = "r = Reshape(f, a) [op] t = Transpose <perm = [0, 2, 1, 3, 4]> (r) y = Reshape(t, b)"
    session = opened(from_text(EACH.replace("MOVES", moves), tmp_path), "4.0")
    after = edited(session, PlainMoves("op"))
    assert verify(session.source, after, samples=2).bit_exact


@pytest.mark.parametrize(
    ("dtype", "opset", "made"),
    [
        ("int8", 13, True),
        ("uint8", 13, True),
        ("uint8", 11, False),
        ("float", 11, True),
        ("int32", 13, False),
    ],
)
def test_integers_stay_moves_where_no_runtime_has_the_operator(
    dtype: str, opset: int, made: bool, tmp_path: Path
) -> None:
    text = f"""<ir_version: 8, opset_import: ["" : {opset}]>
    g ({dtype}[1,12,3,5] x) => ({dtype}[1,3,6,10] y) <int64[6] a = {{1, 3, 2, 2, 3, 5}}, int64[4] b = {{1, 3, 6, 10}}>
    {{ p = Reshape(x, a) [op] t = Transpose <perm = [0, 1, 4, 2, 5, 3]> (p) y = Reshape(t, b) }}"""
    session = opened(from_text(text, tmp_path), "4.0")
    if made:
        assert verify(session.source, edited(session, PlainMoves("op")), samples=2).bit_exact
    else:
        assert "come to no" in refused(session, PlainMoves("op"))


@pytest.mark.parametrize(
    ("before", "shape"),
    [
        ("m = QLinearConv(x, s, z, w, ws, wz, s, z)", "1,4,4,4"),
        ('f = DequantizeLinear(x, s, z) m = Resize <mode = "nearest"> (f, , k)', "1,4,8,8"),
    ],
    ids=["behind a QLinearConv", "behind a Resize that passes its scale on"],
)
def test_moves_behind_anything_undo_one_another(before: str, shape: str, tmp_path: Path) -> None:
    integers = "QLinear" in before
    last = "y = Identity(q)" if integers else "y = QuantizeLinear(q, s, z)"
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,4,4,4] x) => (int8[{shape}] y)
    <float s = {{0.1}}, int8 z = {{3}}, int8[4,4,1,1] w = {{{", ".join(map(str, range(16)))}}}, float ws = {{0.01}}, int8 wz = {{0}},
     float[4] k = {{1, 1, 2, 2}}>
    {{ {before} [op] p = Transpose <perm = [0, 2, 3, 1]> (m) q = Transpose <perm = [0, 3, 1, 2]> (p) {last} }}"""
    session = opened(from_text(text, tmp_path), "4.0")
    after = edited(session, PlainMoves("op"))
    assert not any(node.op == "Transpose" for node in after.graph.nodes)
    assert verify(session.source, after, samples=2).bit_exact
