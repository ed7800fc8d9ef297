"""What tensors and nodes are called decides nothing: not even what the engine itself calls what the compiler inserts."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from builders.models import analysed
from builders.network_text import network

from npuscope.model.load import load
from npuscope.npu.cost import Epoch

NETWORK = """
    x: 1x16x24x24
    a = Conv(x, w32x16x5x5) pads=[2,2,2,2]
    b, c = Split(a) axis=1 num_outputs=2
    d = Conv(b, w16x16x3x3) pads=[1,1,1,1]
    e = Add(c, d)
    f = Concat(c, e) axis=1
    g = Conv(f, w32x1x3x3) pads=[1,1,1,1] group=32 ^-128
    h = Conv(g, w16x32x7x7) pads=[3,3,3,3]
"""


def renamed(proto: onnx.ModelProto, ending: str) -> onnx.ModelProto:
    """All names end so, the first last in the alphabet."""
    other, numbers = onnx.ModelProto(), dict[str, str]()
    other.CopyFrom(proto)

    def new(name: str) -> str:
        return name and numbers.setdefault(name, f"t{10_000 - len(numbers)}{ending}")

    for node in other.graph.node:
        node.name = new(f"node {node.name}")
        node.input[:], node.output[:] = map(new, node.input), map(new, node.output)
    for named in (*other.graph.input, *other.graph.output, *other.graph.initializer):
        named.name = new(named.name)
    return other


def figures(epoch: Epoch) -> tuple[object, ...]:
    return epoch.op, epoch.placement, len(epoch.layers), epoch.cycles, epoch.milliseconds


@pytest.mark.parametrize("toolchain", ["2.2", "4.0"])
def test_names_decide_nothing(toolchain: str, tmp_path: Path) -> None:
    path, proto = tmp_path / "m.onnx", network(NETWORK)
    seen = []
    for other in (
        proto,
        *(renamed(proto, ending) for ending in ("", "#sum", "#part", "#input", "#last", "#planes")),
    ):
        onnx.save(other, path)
        seen.append([figures(epoch) for epoch in analysed(load(str(path)), toolchain).epochs])
    assert all(epochs == seen[0] for epochs in seen)
