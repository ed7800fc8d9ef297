"""Weights larger than anything the NPU reaches: judged, never read into memory for an edit."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import ModelProto, TensorProto, helper

from npuscope.cli.main import main

resource = pytest.importorskip("resource", reason="Windows tells no peak")

ROWS = 50_000


def _model(folder: Path) -> Path:
    """A Gemm of 2.5 GB beside a file of zeros that takes no room."""
    weights = TensorProto(name="w", data_type=TensorProto.INT8, dims=[ROWS, ROWS])
    weights.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "w.bin"), ("offset", "0"), ("length", str(ROWS * ROWS))):
        weights.external_data.add(key=key, value=value)
    with (folder / "w.bin").open("wb") as file:
        file.truncate(ROWS * ROWS)
    scale, zero = helper.make_tensor("s", 1, [], [0.02]), helper.make_tensor("z", 3, [], [0])
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["a"]),
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["b"]),
        helper.make_node("MatMul", ["a", "b"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "s", "z"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.INT8, [1, ROWS]) for name in "xy"]
    model: ModelProto = helper.make_model(
        helper.make_graph(nodes, "g", ends[:1], ends[1:], [scale, zero, weights]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=10,
    )
    path = folder / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("axis", ["in", "out"])
def test_more_weights_than_there_is_room_for(
    axis: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(_model(tmp_path))
    assert main(["check", path]) == 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    words = ["--axis", axis, "--parts", "2", "--samples", "1"]
    assert main(["split", path, "--layer", "MatMul_2", *words]) == 2
    assert "'w': 2,500,000,000 values are too many" in capsys.readouterr().err
    assert main(["plan", path, "--loss", "any", "--seconds", "2"]) == 0
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 500 << 10  # KiB: 14 GB were taken
