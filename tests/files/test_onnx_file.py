"""Export: what is written, what is never touched, and that a failure leaves nothing."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from builders import models
from builders.weighted_layers import NAME, Spec, model, saved
from onnx import ModelProto, TensorProto, helper

from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.files import onnx_file
from npuscope.files.onnx_file import EDITS_KEY, default_path, write
from npuscope.files.recipe import RECIPE_KEY, parse, recipe_of
from npuscope.machine.machine import target
from npuscope.model.errors import ModelError
from npuscope.model.load import load
from npuscope.numbers.verify_models import verify
from npuscope.session import Session


def small(folder: Path) -> Session:
    session = Session.open(saved(model(Spec()), folder), target("2.1")).edit(SplitOutput(NAME, (4, 6)))
    assert isinstance(session, Session)
    return session


def listing(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir() if p.is_file()}


def test_the_seed_case_is_written_loads_and_keeps_everything_else(tmp_path: Path) -> None:
    source = load(models.DENOISER)
    session = Session.open(source, target("2.1")).edit(SplitInput("Gemm_28", (144, 113)))
    assert isinstance(session, Session)
    written = write(session, tmp_path / "fixed.onnx")
    assert written.checks == ("ONNX checker", "shape inference", "onnxruntime") and not written.complaints
    assert written.size == (tmp_path / "fixed.onnx").stat().st_size
    again = load(tmp_path / "fixed.onnx")
    parts = [Session.open(again, target("2.1")).layers.by_name[f"Gemm_28_part{i}"] for i in range(2)]
    assert [part.weight.dims for part in parts if part.weight is not None] == [(1024, 144), (1024, 113)]
    assert verify(session, again, samples=2).bit_exact
    properties = {entry.key: entry.value for entry in again.proto.metadata_props}
    assert properties.pop(EDITS_KEY) == "split inputs of Gemm_28 as 144+113"
    assert parse(properties.pop(RECIPE_KEY)) == recipe_of(session)
    assert properties == {entry.key: entry.value for entry in source.proto.metadata_props}
    for field in ("ir_version", "producer_name", "doc_string", "opset_import"):
        assert getattr(again.proto, field) == getattr(source.proto, field)
    assert list(tmp_path.iterdir()) == [tmp_path / "fixed.onnx"]


def test_an_export_of_an_export_names_the_edits_of_both(tmp_path: Path) -> None:
    write(small(tmp_path), tmp_path / "one.onnx")
    again = Session.open(load(tmp_path / "one.onnx"), target("2.1")).edit(
        SplitOutput(f"{NAME}_part1", (1, 5))
    )
    assert isinstance(again, Session)
    write(again, tmp_path / "two.onnx")
    value = {entry.key: entry.value for entry in onnx.load(tmp_path / "two.onnx").metadata_props}[EDITS_KEY]
    assert value == f"split outputs of {NAME} as 4+6; split outputs of {NAME}_part1 as 1+5"


def test_what_the_model_holds_besides_its_graph_is_kept(tmp_path: Path) -> None:
    made = model(Spec())
    made.functions.append(
        helper.make_function(
            "mine", "F", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], [helper.make_opsetid("", 13)]
        )
    )
    made.opset_import.append(helper.make_opsetid("mine", 1))
    made.graph.doc_string, made.graph.name = "about", "named"
    made.graph.quantization_annotation.add(tensor_name="y")
    made.graph.quantization_annotation.add(tensor_name="w_dq")
    content = made.SerializeToString() + b"\xfa\x7f\x03new"  # field 2047: written by a later ONNX
    (tmp_path / "model.onnx").write_bytes(content)
    session = Session.open(load(tmp_path / "model.onnx"), target("2.1")).edit(SplitOutput(NAME, (4, 6)))
    assert isinstance(session, Session)
    write(session, tmp_path / "out.onnx")
    source = onnx.load(tmp_path / "out.onnx")
    assert source.functions == made.functions and source.opset_import == made.opset_import
    assert (source.graph.doc_string, source.graph.name) == ("about", "named")
    assert [a.tensor_name for a in source.graph.quantization_annotation] == ["y"]
    assert b"\xfa\x7f\x03new" in source.SerializeToString()


def test_without_edits_the_model_is_the_same(tmp_path: Path) -> None:
    source = load(models.DENOISER)
    write(Session.open(source, target("2.1")), tmp_path / "same.onnx")
    assert onnx.load(tmp_path / "same.onnx") == onnx.load(models.DENOISER)


def test_initializers_that_are_inputs_too_stay_in_step(tmp_path: Path) -> None:
    made = model(Spec())
    made.ir_version = 3
    for tensor in made.graph.initializer:
        made.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    session = Session.open(saved(made, tmp_path), target("2.1")).edit(SplitOutput(NAME, (4, 6)))
    assert isinstance(session, Session)
    assert write(session, tmp_path / "out.onnx").complaints == ()
    graph = onnx.load(tmp_path / "out.onnx").graph
    assert {value.name for value in graph.input} == {"x", *(tensor.name for tensor in graph.initializer)}


def test_a_free_batch_stays_free(tmp_path: Path) -> None:
    made = model(Spec())
    for value in (*made.graph.input, *made.graph.output, *made.graph.value_info):
        if value.type.tensor_type.shape.dim and value.name != "w_dq" and value.name != "b_dq":
            value.type.tensor_type.shape.dim[0].dim_param = "N"
    session = Session.open(saved(made, tmp_path), target("2.1")).edit(SplitInput(NAME, (5, 7)))
    assert isinstance(session, Session)
    write(session, tmp_path / "out.onnx")
    runtime = onnxruntime.InferenceSession(tmp_path / "out.onnx")
    assert runtime.run(None, {"x": np.ones((3, 12), np.int8)})[0].shape == (3, 10)


def test_an_existing_file_is_kept_without_force(tmp_path: Path) -> None:
    session = small(tmp_path)
    (tmp_path / "out.onnx").write_text("mine")
    before = listing(tmp_path)
    with pytest.raises(ModelError, match="exists; give another name, or --force"):
        write(session, tmp_path / "out.onnx")
    assert listing(tmp_path) == before
    write(session, tmp_path / "out.onnx", force=True)
    load(tmp_path / "out.onnx")


@pytest.mark.parametrize("how", ["itself", "symlink", "hard link", "another spelling"])
def test_the_opened_model_is_never_overwritten(how: str, tmp_path: Path) -> None:
    session = small(tmp_path)
    path = source = session.source.path
    if how == "symlink":
        path = tmp_path / "link.onnx"
        path.symlink_to(source)
    elif how == "hard link":
        path = tmp_path / "hard.onnx"
        path.hardlink_to(source)
    elif how == "another spelling":
        (tmp_path / "sub").mkdir()
        path = tmp_path / "sub" / ".." / "model.onnx"
    before = listing(tmp_path)
    for force in (False, True):
        with pytest.raises(ModelError, match="is the opened model"):
            write(session, path, force=force)
    assert listing(tmp_path) == before


def test_external_data_stays_and_is_found(tmp_path: Path) -> None:
    onnx.save(
        model(Spec(ich=40, och=40)),
        tmp_path / "m.onnx",
        save_as_external_data=True,
        location="w.bin",
        size_threshold=64,
    )
    session = Session.open(load(tmp_path / "m.onnx"), target("2.1")).edit(SplitOutput(NAME, (13, 27)))
    assert isinstance(session, Session)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(ModelError, match=r"the weights stay in 'w\.bin'.*export into"):
        write(session, tmp_path / "elsewhere" / "out.onnx")
    with pytest.raises(ModelError, match="holds weights of the opened model"):
        write(session, tmp_path / "w.bin", force=True)
    before = listing(tmp_path)
    write(session, tmp_path / "out.onnx")
    assert verify(load(tmp_path / "m.onnx"), load(tmp_path / "out.onnx"), samples=2).bit_exact
    after = listing(tmp_path)
    assert after.pop("out.onnx") and after == before


@pytest.mark.parametrize("failing", ["check", "infer", "_does_not_open", "_write_file", "_move"])
def test_a_failure_leaves_no_file(failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = small(tmp_path)
    (tmp_path / "out.onnx").write_text("mine")
    before = listing(tmp_path)

    def fail(*arguments: object) -> str | None:
        if failing in ("_write_file", "_move"):
            raise OSError(28, "No space left on device")
        # The opened model itself is fine.
        hit = failing == "_does_not_open" or arguments[0] == failing
        return "bad" if hit and not any(str(a).endswith("model.onnx") for a in arguments) else None

    monkeypatch.setattr(onnx_file, "refused_by" if failing in ("check", "infer") else failing, fail)
    with pytest.raises(
        ModelError, match=r"out\.onnx: (not written, .* refuses it: bad|cannot be written \(No space)"
    ):
        write(session, tmp_path / "out.onnx", force=True)
    assert listing(tmp_path) == before


def test_an_interrupt_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = small(tmp_path)
    before = listing(tmp_path)

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(onnx_file, "_does_not_open", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(session, tmp_path / "out.onnx")
    assert listing(tmp_path) == before


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = small(tmp_path)

    def intrude(*_: object) -> None:
        (tmp_path / "out.onnx").write_text("theirs")

    monkeypatch.setattr(onnx_file, "_does_not_open", intrude)
    with pytest.raises(ModelError, match="another program has just created it"):
        write(session, tmp_path / "out.onnx")
    assert (tmp_path / "out.onnx").read_text() == "theirs"
    assert sorted(listing(tmp_path)) == ["model.onnx", "out.onnx"]


def test_what_the_opened_model_is_already_blamed_for_is_no_reason_to_refuse(tmp_path: Path) -> None:
    made = model(Spec())
    made.graph.node.append(helper.make_node("Odd", ["x"], ["z"], domain="mine"))
    made.graph.output.append(helper.make_tensor_value_info("z", TensorProto.INT8, [1, 12]))
    made.opset_import.append(helper.make_opsetid("mine", 1))
    session = Session.open(saved(made, tmp_path), target("2.1")).edit(SplitOutput(NAME, (4, 6)))
    assert isinstance(session, Session)
    written = write(session, tmp_path / "out.onnx")
    assert "onnxruntime" not in written.checks and written.complaints[0].startswith("onnxruntime: ")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "is a directory"),
        ("no/where.onnx", "there is no folder"),
        ("a" * 256, "test_paths"),
        ("recipe.toml", "ends in .onnx"),
        ("OUT.TFLITE", "ends in .onnx"),
    ],
)
def test_paths_that_cannot_be_written_are_said(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message):
        write(small(tmp_path), tmp_path / name)


def test_the_new_file_can_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    session = small(tmp_path)
    old = os.umask(0o022)
    try:
        write(session, tmp_path / "out.onnx")
    finally:
        os.umask(old)
    assert (tmp_path / "out.onnx").stat().st_mode & 0o777 == 0o644


def test_the_default_name_is_free(tmp_path: Path) -> None:
    source = tmp_path / "net.int8.onnx"
    assert default_path(source) == tmp_path / "net.int8_fixed.onnx"
    (tmp_path / "net.int8_fixed.onnx").touch()
    assert default_path(source) == tmp_path / "net.int8_fixed2.onnx"
    (tmp_path / "net.int8_fixed2.onnx").symlink_to("nowhere")
    assert default_path(source) == tmp_path / "net.int8_fixed3.onnx"


def test_large_weights_are_streamed_and_verified(tmp_path: Path) -> None:
    source = saved(model(Spec(ich=2300, och=2300)), tmp_path)
    assert source.spans
    session = Session.open(source, target("2.1")).edit(SplitOutput(NAME, (1000, 1300)))
    assert isinstance(session, Session)
    written = write(session, tmp_path / "out.onnx")
    assert written.checks == ("ONNX checker", "shape inference", "onnxruntime")
    onnx.checker.check_model(ModelProto.FromString((tmp_path / "out.onnx").read_bytes()), full_check=True)
    assert verify(source, load(tmp_path / "out.onnx"), samples=1).bit_exact
    assert sorted(listing(tmp_path)) == ["model.onnx", "out.onnx"]


def test_a_model_that_changed_on_disk_is_not_exported(tmp_path: Path) -> None:
    source = saved(model(Spec(ich=2300, och=2300)), tmp_path)
    session = Session.open(source, target("2.1")).edit(SplitInput(NAME, (1000, 1300)))
    assert isinstance(session, Session)
    onnx.save(model(Spec(ich=2300, och=2300, seed=1)), source.path)
    with pytest.raises(ModelError, match="changed since it was opened"):
        write(session, tmp_path / "out.onnx")
    assert sorted(listing(tmp_path)) == ["model.onnx"]


MEMORY = """
import resource, sys
from npuscope.model.load import load
from npuscope.session import Session
from npuscope.machine.machine import target
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.files.onnx_file import write
session = Session.open(load(sys.argv[1]), target("2.1"))
import onnxruntime
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write(session.edit(SplitOutput("Gemm_1", (10, 90))), sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is counted otherwise")
def test_weights_are_never_in_memory_together(tmp_path: Path) -> None:
    megabytes = 120
    filler = helper.make_tensor(
        "filler", TensorProto.INT8, [megabytes << 20], bytes(megabytes << 20), raw=True
    )
    made = models.gemm_qdq(100, 100, name="Gemm_1")
    made.graph.initializer.append(filler)
    onnx.save(made, tmp_path / "large.onnx")
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "large.onnx"), str(tmp_path / "out.onnx")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(run.stdout) >> 10 < megabytes / 2
