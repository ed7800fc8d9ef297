"""How far added channels reach, and what stops them."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.models import from_text

from npuscope.edits.toolkit import channel_region
from npuscope.edits.toolkit.channel_region import AddedChannels, NotClosedError, Region, region
from npuscope.model.layers import fold

ONES = "{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}"
HEAD = f"""<ir_version: 8, opset_import: ["" : 17]> g (float[1,4,4,4] x) => (float[] y) <float[4,4,1,1] w = {ONES},
float[1,4,1,1] v = {{1, 1, 1, 1}}, float s = {{0.1}}, float[4] ss = {{1, 2, 3, 4}}, int8[4] zz = {{0, 0, 0, 0}}, int8 z = {{0}},
int64[3] three = {{1, 4, 16}}, int64[3] mixed = {{1, 8, 8}}, int64[3] one = {{1, 1, 16}}> {{ t = Conv(x, w) """


def grown(nodes: str, folder: Path, axis: int = 1, extra: int = 2, start: str = "t") -> Region:
    graph = from_text(f"{HEAD}{nodes} }}".replace("float[] y", "float[a,b,c,d] y"), folder).graph
    return region(graph, fold(graph), start, AddedChannels(axis, extra))


CLOSED: dict[str, tuple[str, dict[str, AddedChannels]]] = {
    "straight on": ("y = Conv(t, w)", {}),
    "an activation": ("a = Relu(t) y = Conv(a, w)", {"a": AddedChannels(1, 2)}),
    "a shared pair": (
        "q = QuantizeLinear(t, s, z) a = DequantizeLinear(q, s, z) y = Conv(a, w)",
        {"q": AddedChannels(1, 2), "a": AddedChannels(1, 2)},
    ),
    "turned over and back": (
        "a = Transpose <perm = [0, 2, 3, 1]> (t) b = Transpose <perm = [0, 3, 1, 2]> (a) y = Conv(b, w)",
        {"a": AddedChannels(3, 2), "b": AddedChannels(1, 2)},
    ),
    "a constant for each channel": ("a = Mul(t, ch) y = Conv(a, w)", {"ch": AddedChannels(1, 2), "a": AddedChannels(1, 2)}),
    "joined along rows": ("a = Concat <axis = 2> (t, t) y = Conv(a, w)", {"a": AddedChannels(1, 2)}),
    "a map in one row and back": (
        "a = Reshape(t, three) b = Reshape(a, four) y = Conv(b, w)",
        {"a": AddedChannels(1, 2), "b": AddedChannels(1, 2)},
    ),
}  # fmt: skip
MORE = "float[1,4,1,1] ch = {1, 2, 3, 4}, int64[4] four = {1, 4, 4, 4}"


@pytest.mark.parametrize("name", CLOSED)
def test_channels_go_through(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes, wanted = CLOSED[name]
    monkeypatch.setitem(globals(), "HEAD", HEAD.replace("float s =", f"{MORE}, float s ="))
    found = grown(nodes, tmp_path)
    assert found.tensors == {"t": AddedChannels(1, 2), **wanted}
    assert {(into, out) for _, into, out in found.layers.values()} == {(0, 2), (2, 0)}


OPEN: dict[str, tuple[str, str]] = {
    "an output": ("y = Identity(t)", "y is an input or output of the model"),
    "two places": ("a = Transpose <perm = [0, 2, 1, 3]> (t) b = Add(t, a) y = Conv(b, w)", "would need channels in two places"),
    "another axis": ("a = Transpose <perm = [0, 2, 1, 3]> (t) y = Conv(a, w)", "has its channels on another axis"),
    "a computed shape": ("h = Shape(x) i = NonZero(x) j = Shape(i) k = Concat <axis = 0> (j, j) a = Reshape(t, k) b = Conv(t, w) y = Add(b, b)", "is computed by the model"),
    "joined": ("a = Concat <axis = 1> (t, t) b = Relu(a) y = Neg(b)", "cuts or joins the channels"),
    "mixed": ("n = Transpose <perm = [0, 2, 3, 1]> (t) a = Reshape(n, mixed) b = Relu(a) y = Neg(b)", "mixes the channels with another axis"),
    "sums over all": ("a = Softmax <axis = 1> (t) y = Conv(a, w)", "needs the channels as they are"),
    "a scale per channel": (
        "q = QuantizeLinear <axis = 1> (t, ss, zz) a = DequantizeLinear <axis = 1> (q, ss, zz) y = Conv(a, w)", "has a scale per channel",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPEN)
def test_channels_are_stopped(name: str, tmp_path: Path) -> None:
    nodes, words = OPEN[name]
    with pytest.raises(NotClosedError, match=words):
        grown(nodes, tmp_path)


def test_one_channel_is_repeated_or_dropped(tmp_path: Path) -> None:
    single = "u = Conv(t, v) "
    with pytest.raises(NotClosedError, match="repeats u along its channels"):
        grown(single + "a = Add(u, x) y = Conv(a, w)", tmp_path, start="u")
    with pytest.raises(NotClosedError, match="handles one channel, which it may drop"):
        grown(single + "a = Reshape(u, one) b = Relu(a) y = Neg(b)", tmp_path, start="u")


def test_what_has_no_such_axis_or_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotClosedError, match="t has no axis 5"):
        grown("y = Conv(t, w)", tmp_path, axis=5)
    with pytest.raises(NotClosedError, match="the shape of ghost is not known"):
        grown("y = Conv(t, w)", tmp_path, start="ghost")
    monkeypatch.setattr(channel_region, "LARGEST_REGION", 1)
    with pytest.raises(NotClosedError, match="more than 1 nodes would change"):
        grown("a = Relu(t) y = Conv(a, w)", tmp_path)
