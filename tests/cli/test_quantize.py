"""`npuscope quantize`: the int8 model of a float one, its table, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from builders.command_line import run
from builders.networks.spectrum_masks import gated_mask, mask
from onnx import TensorProto, helper, numpy_helper

from npuscope.numbers.quantize import METADATA

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
FLOAT = SAMPLES / "denoiser_lstm_float.onnx"


def small_float(path: Path, opset: int = 13) -> Path:
    """Conv, PRelu and a Softmax."""
    rng = np.random.default_rng(1)
    weights = numpy_helper.from_array(rng.standard_normal((8, 4, 3, 3)).astype(np.float32), "w")
    slope = numpy_helper.from_array(np.full((8, 1, 1), 0.25, np.float32), "slope")
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
            helper.make_node("PRelu", ["c", "slope"], ["p"], name="prelu"),
            helper.make_node("Softmax", ["p"], ["y"], name="softmax", axis=1),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 8, 8])],
        [weights, slope],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, path)
    return path


def saved_samples(path: Path, count: int = 4) -> Path:
    np.save(path, np.random.default_rng(2).standard_normal((count, 1, 4, 8, 8)).astype(np.float32))
    return path


def test_the_float_denoiser_shows_the_three_layers_of_the_case(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "int8.onnx"
    status, _, _ = run(capsys, "quantize", FLOAT, "--random", "-o", out)
    assert status == 0
    _, text, _ = run(capsys, "check", out, "--json")
    layers = {layer["name"]: layer["placement"] for layer in json.loads(text)["layers"]}
    assert sorted(name for name, placement in layers.items() if placement.startswith("sw")) == [
        "Conv2D_23", "Conv2D_79", "Gemm_28",
    ]  # fmt: skip


def test_a_symmetric_setting_has_the_fewest_compute_cycles(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    onnx.save(gated_mask(), tmp_path / "f.onnx")
    command = ("quantize", tmp_path / "f.onnx", "--random", "--samples", "2", "--try", "--json")
    status, text, _ = run(capsys, *command)
    assert status == 0
    rows = json.loads(text)["settings"]
    assert len(rows) == 9
    kinds = {"none": [], "some": [], "all": []}
    for row in rows:
        kinds["all" if row["symmetric"] else "some" if row["symmetric_tensors"] else "none"].append(row)
    assert [len(kind) for kind in kinds.values()] == [3, 3, 3]
    none, some, most = (min(row["compute_cycles"] for row in kind) for kind in kinds.values())
    assert most <= some < none
    # Two of the tensors are enough for Deep1x1 in the Gemms on the NPU; the third saves time in what follows it.
    read_by_gemms = {"Concat_2_out", "Mul_5_out"}
    assert all(
        read_by_gemms < set(row["symmetric_tensors"]) and len(row["symmetric_tensors"]) < 6
        for row in kinds["some"]
    )
    assert some < 1.02 * most
    assert max(row["ms"] for row in kinds["some"]) < min(row["ms"] for row in kinds["none"])
    assert all(row["sqnr_db"] > 25 for row in rows)
    assert [row["ms"] for row in rows] == sorted(row["ms"] for row in rows)


def test_zero_points_are_0_only_where_they_cost_time_or_cycles(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "int8.onnx"
    arguments = ("quantize", FLOAT, "--random", "--samples", "2", "-o", out, "--json")
    status, text, _ = run(capsys, *arguments, "--symmetric-where-it-pays")
    (row,) = json.loads(text)["settings"]
    assert status == 0
    # The inputs of the recurrent Gemms.
    gemms = {"Input_13_out_0", "Input_4_out_0", "Quantize_47_out_0", "Quantize_70_out_0"}
    assert gemms < set(row["symmetric_tensors"])
    made = onnx.load(out)
    values = {t.name: numpy_helper.to_array(t) for t in made.graph.initializer}
    for name in row["symmetric_tensors"]:
        assert not values[f"{name}_zero_point"].any()
    assert sum(bool(v.any()) for name, v in values.items() if name.endswith("_zero_point")) > 10
    _, text, _ = run(capsys, "check", out, "--json")
    layers = json.loads(text)["layers"]
    modes = [
        layer["cost"]["deep1x1"] for layer in layers if layer["op"] == "Gemm" and layer["placement"] == "hw"
    ]
    assert modes
    assert all(modes)


def test_one_command_goes_from_float_to_a_fixed_int8_model(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model, out = tmp_path / "f.onnx", tmp_path / "int8.onnx"
    onnx.save(mask(), model)
    status, text, _ = run(
        capsys, "quantize", model, "--random", "--samples", "4", "--plan", "-o", out, "--json"
    )
    assert status == 0
    fixed, plain = json.loads(text)["settings"]
    assert (fixed["on_cpu"], fixed["hybrid"], plain["on_cpu"]) == (0, 0, 1)
    assert fixed["ms"] < plain["ms"]
    assert fixed["edits"]
    assert plain["edits"] == []
    assert fixed["sqnr_db"] > plain["sqnr_db"] - 1
    note = {entry.key: entry.value for entry in onnx.load(out).metadata_props}[METADATA]
    assert all(words in note for words in fixed["edits"])
    _, text, _ = run(capsys, "check", out, "--json")
    summary = json.loads(text)["summary"]
    assert summary["hw"] == summary["layers"] == fixed["layers"]
    status, text, _ = run(capsys, "verify", model, out, "--samples", "4", "--fail-below", "30", "--json")
    assert status == 0
    assert run(capsys, "verify", model, out, "--samples", "4", "--fail-below", "40")[0] == 1


def test_a_plan_leaves_alone_what_is_to_stay_float(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model, out = small_float(tmp_path / "f.onnx"), tmp_path / "q.onnx"
    arguments = ("quantize", model, "--random", "--symmetric-where-it-pays", "--exclude", "prelu", "--plan")
    status, text, _ = run(capsys, *arguments, "-o", out, "--json")
    assert status == 0
    best = json.loads(text)["settings"][0]
    assert not any("prelu" in words for words in best["edits"])
    _, text, _ = run(capsys, "check", out, "--json")
    assert {layer["name"]: layer["placement"] for layer in json.loads(text)["layers"]}["prelu"] == "sw_int"


def test_samples_from_a_file_calibrate_and_are_recorded(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model, out = small_float(tmp_path / "f.onnx", opset=11), tmp_path / "q.onnx"
    before = model.read_bytes()
    status, text, error = run(
        capsys, "quantize", model, "--inputs", saved_samples(tmp_path / "s.npy"), "-o", out
    )
    assert (status, error) == (0, "")
    assert "4 samples, from files" in text
    made = onnx.load(out)
    assert {entry.key: entry.value for entry in made.metadata_props}[METADATA] == (
        "minmax, asymmetric, per channel; 4 samples from files"
    )
    read = {name for node in made.graph.node if node.op_type == "PRelu" for name in node.input}
    written = {name for node in made.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    assert read <= written  # the slopes too
    assert model.read_bytes() == before


def test_an_excluded_node_stays_float(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    model, out = small_float(tmp_path / "f.onnx"), tmp_path / "q.onnx"
    assert run(capsys, "quantize", model, "--random", "--exclude", "prelu", "softmax", "-o", out)[0] == 0
    _, text, _ = run(capsys, "check", out, "--json")
    placements = {layer["name"]: layer["placement"] for layer in json.loads(text)["layers"]}
    assert placements["prelu"] == placements["softmax"] == "sw_float"
    assert placements["conv"] == "hw"


def test_a_node_is_excluded_by_the_name_that_tables_print(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model, out = small_float(tmp_path / "f.onnx"), tmp_path / "q.onnx"
    scoped = onnx.load(model)
    for node in scoped.graph.node:
        node.name = f"/net/{node.name}"
    onnx.save(scoped, model)
    assert run(capsys, "quantize", model, "--random", "--exclude", "net/softmax", "-o", out)[0] == 0
    _, text, _ = run(capsys, "check", out, "--json")
    placements = {layer["name"]: layer["placement"] for layer in json.loads(text)["layers"]}
    assert placements["/net/softmax"] == "sw_float" and placements["/net/prelu"] != "sw_float"
    status, _, error = run(
        capsys, "quantize", model, "--random", "--exclude", "net/softmx", "--force", "-o", out
    )
    assert status == 2 and "did you mean 'net/softmax'" in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((FLOAT, "-o", "OUT"), "--random"),
        ((FLOAT, "--random"), "--try"),
        ((SAMPLES / "denoiser_lstm_int8.onnx", "--random", "-o", "OUT"), "holds Q/DQ already"),
        ((FLOAT, "--random", "--exclude", "nothing", "-o", "OUT"), "no such node"),
        (("SMALL", "--inputs", "NAN", "-o", "OUT"), "not finite"),
        (("SMALL", "--inputs", "SHAPE", "-o", "OUT"), "shape"),
        (("SMALL", "--random", "-o", "SMALL", "--force"), "never overwritten"),
    ],
)
def test_what_cannot_be_quantized_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[object, ...], words: str
) -> None:
    np.save(tmp_path / "nan.npy", np.full((2, 1, 4, 8, 8), np.nan, np.float32))
    np.save(tmp_path / "shape.npy", np.zeros((2, 3), np.float32))
    places = {
        "SMALL": small_float(tmp_path / "f.onnx"),
        "OUT": tmp_path / "out.onnx",
        "NAN": tmp_path / "nan.npy",
        "SHAPE": tmp_path / "shape.npy",
    }
    status, text, error = run(capsys, "quantize", *(places.get(str(a), a) for a in arguments))
    assert (status, text, error.count("\n")) == (2, "", 1)
    assert words in error
    assert not places["OUT"].exists()


def test_weights_that_lie_in_another_file_are_taken_in(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As torch's exporter leaves them: the int8 model is the same, whatever folder it goes to."""
    folder = tmp_path / "out"
    folder.mkdir()
    inline, outside = small_float(tmp_path / "f.onnx"), tmp_path / "outside.onnx"
    onnx.save(onnx.load(inline), outside, save_as_external_data=True, location="w.bin", size_threshold=0)
    for model, name in ((inline, "inline.onnx"), (outside, "outside.onnx")):
        assert run(capsys, "quantize", model, "--random", "-o", folder / name)[0] == 0
    assert (folder / "outside.onnx").read_bytes() == (folder / "inline.onnx").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--random", "--image-mean", "1,1,1", "--image-std", "1,1,1"], "--image-mean: says how images are prepared; name their folder"),
        (["--reader", "reader.py", "--inputs", "pictures"], "--reader: already provides the samples"),
        (["--inputs", "pictures"], "holds images; say how they are prepared"),
    ],
)  # fmt: skip
def test_samples_that_are_named_by_halves(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "one.png").write_bytes(b"\x89PNG")
    (tmp_path / "reader.py").write_text("")
    placed = [tmp_path / word if (tmp_path / word).exists() else word for word in arguments]
    out = tmp_path / "out.onnx"
    status, _, err = run(capsys, "quantize", small_float(tmp_path / "m.onnx"), "-o", out, *placed)
    assert status == 2 and words in err and not out.exists()
