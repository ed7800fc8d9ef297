"""The process that runs models: what a model does there ends that process alone, and is said in a line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from builders.models import from_text

from npuscope.model.budget import Budget, budget_of, limited
from npuscope.model.errors import ModelError
from npuscope.model.inference.child import inferred_by_onnx, own_module
from npuscope.numbers.differences import DifferenceMeter
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.quantize import Settings, quantize
from npuscope.numbers.runner import Runner
from npuscope.numbers.runtime.frames import BrokenFrameError, read_frame, write_frame
from npuscope.numbers.runtime.process import PROCESS
from npuscope.numbers.runtime.sessions import RuntimeSession, multiplications, refused_by, to_open

DOUBLED = """<ir_version: 8, opset_import: ["" : 13]>
g (float[4] x) => (float[4] y) { y = Add(x, x) }"""

ENDLESS = """<ir_version: 8, opset_import: ["" : 13]>
g (float x) => (float y)
<int64 n = {9223372036854775807}, bool c = {1}>
{ y = Loop(n, c, x) <body = b (int64 i, bool k, float a) => (bool k2, float a2) { k2 = Identity(k)
    a2 = Add(a, a) }> }"""

ONE = np.ones(4, np.float32)


def test_what_runs_is_what_it_computes(tmp_path: Path) -> None:
    source = from_text(DOUBLED, tmp_path)
    (result,) = Runner(source, source.graph).run({"x": ONE})
    assert result.tolist() == [2.0] * 4
    assert result.dtype == np.float32


def test_a_run_without_end_is_ended_and_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    source = from_text(ENDLESS, tmp_path)
    good = from_text(DOUBLED, tmp_path / "good")
    first, endless = Runner(good, good.graph), Runner(source, source.graph)
    with limited(budget_of(time_limit="0.5s")), pytest.raises(ModelError, match=r"took more than 0\.5 s"):
        endless.run({"x": np.float32(0)})
    # The process is another one now: an open model is opened again, one that was ended is not run again.
    assert first.run({"x": ONE})[0].tolist() == [2.0] * 4
    with pytest.raises(ModelError, match=r"took more than 0\.5 s"):
        endless.run({"x": np.float32(0)})


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux alone")
def test_a_run_that_takes_all_memory_is_refused(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (int64[1] n) => (float[k] y) { y = ConstantOfShape(n) }"""
    source = from_text(text, tmp_path)
    runner = Runner(source, source.graph)
    with limited(Budget(200 << 20, 8.0, True, True)):
        assert runner.run({"n": np.asarray([1 << 20])})[0].nbytes == 4 << 20
        for count in (1 << 33, 120 << 20 >> 2):  # what cannot be made, and what is too much to be handed over
            with pytest.raises(ModelError, match="needs more than 200 MB, which --memory-limit can raise"):
                runner.run({"n": np.asarray([count])})
        assert runner.run({"n": np.asarray([5])})[0].shape == (5,)


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_crash_is_told_in_a_line(number: signal.Signals, tmp_path: Path) -> None:
    source = from_text(ENDLESS, tmp_path)
    runner = Runner(source, source.graph)
    process = PROCESS._process
    assert process is not None
    threading.Timer(0.3, process.send_signal, [number]).start()
    with pytest.raises(ModelError, match=rf"cannot run it: it .*\(signal {number.value}\)"):
        runner.run({"x": np.float32(0)})
    source = from_text(DOUBLED, tmp_path)
    assert Runner(source, source.graph).run({"x": ONE})[0].tolist() == [2.0] * 4


def test_strings_and_sequences_end_in_words(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (float[4] x) => (seq(float[4]) y) { y = SequenceConstruct(x, x) }"""
    source = from_text(text, tmp_path)
    with pytest.raises(ModelError) as caught:
        Runner(source, source.graph).run({"x": ONE})
    assert "\n" not in str(caught.value)
    source = from_text(DOUBLED, tmp_path)
    with pytest.raises(ModelError, match="only numbers can be given"):
        Runner(source, source.graph).run({"x": np.asarray(["a"])})


def test_an_interrupt_leaves_no_answer_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = from_text(DOUBLED, tmp_path)
    runner = Runner(source, source.graph)

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("npuscope.numbers.runtime.process.read_frame", interrupted)
        with pytest.raises(KeyboardInterrupt):
            runner.run({"x": ONE})
    assert runner.run({"x": 2 * ONE})[0].tolist() == [4.0] * 4


def test_frames_hold_every_kind_of_array(tmp_path: Path) -> None:
    arrays = [
        np.float32(3.5),
        np.zeros((0, 3), np.int8),
        np.arange(6, dtype=np.int64).reshape(2, 3).T,
        np.asarray([True, False]),
        np.asarray(["a", "bcd"]),
        np.float16([1, 2]),
    ]
    path = tmp_path / "frame"
    with path.open("wb") as stream:
        write_frame(stream, {"do": "run"}, [np.asarray(a) for a in arrays])
    with path.open("rb") as stream:
        header, frame = read_frame(stream)
    assert header == {"do": "run"}
    for one, other in zip(arrays, frame, strict=True):
        assert np.asarray(one).dtype == other.dtype
        assert np.shape(one) == other.shape
        assert np.array_equal(one, other)
    data = path.read_bytes()
    for cut in (0, 5, 9, len(data) - 1):
        path.write_bytes(data[:cut])
        with path.open("rb") as stream, pytest.raises(BrokenFrameError):
            read_frame(stream)


def test_what_a_model_may_take_grows_with_what_it_holds_unless_a_limit_is_stated(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (float[1,3,224,224] x) => (float[1,64,112,112] y) <float[64,3,7,7] w>
    { y = Conv<strides = [2, 2], pads = [3, 3, 3, 3]>(x, w) }"""
    source = from_text(text, tmp_path)
    assert multiplications(source.graph) == 64 * 112 * 112 * 3 * 7 * 7
    assert to_open(100 << 20, 0).weights == 300 << 20
    assert to_open(100 << 20, 0).seconds > to_open(0, 0).seconds
    with limited(budget_of("700M", "3s")):
        stated = to_open(100 << 20, 100_000)
    assert (stated.weights, stated.memory, stated.seconds) == (0, 700 << 20, 3.0)


def test_modules_of_the_folder_one_stands_in_are_not_run(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("open('trapped', 'w').write('x')")
    (tmp_path / "numpy.py").write_text("open('trapped', 'w').write('x')")
    done = subprocess.run(
        own_module("npuscope.numbers.runtime.serve"),
        input=b"",
        capture_output=True,
        cwd=tmp_path,
        check=False,
    )
    assert b"ready" in done.stdout
    assert not (tmp_path / "trapped").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    from_text(DOUBLED, tmp_path)
    code = f"""
import sys, time
from npuscope.model.load import load
from npuscope.numbers.differences import DifferenceMeter
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.quantize import Settings, quantize
from npuscope.numbers.runner import Runner
from npuscope.numbers.runtime.process import PROCESS
source = load({str(tmp_path / "model.onnx")!r})
Runner(source, source.graph)
print(PROCESS._process.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert Path(f"/proc/{child}").exists()
        process.kill()
    for _ in range(1200):
        try:
            if "(zombie)" in Path(f"/proc/{child}/status").read_text("utf-8"):
                break
        except OSError:
            break
        time.sleep(0.05)  # it has noticed, or is about to
    else:
        pytest.fail("the process that runs models outlived the one that started it")


def test_samples_that_would_fill_the_memory_are_refused_before_they_are_drawn(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (float[64,1024,1024] x) => (float[64,1024,1024] y) { y = Relu(x) }"""
    source = from_text(text, tmp_path)
    with pytest.raises(ModelError, match=r"8 random samples would take 3072 MB.*--samples"):
        random_samples(source, 8)


def test_large_outputs_are_compared_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    one = rng.standard_normal((7, 11, 13)).astype(np.float32)
    other = one + np.float32(0.01) * rng.standard_normal(one.shape).astype(np.float32)
    complete = DifferenceMeter("y", None)
    complete.add(one, other)
    monkeypatch.setattr("npuscope.numbers.differences.PIECE", 17)
    pieces = DifferenceMeter("y", None)
    pieces.add(one, other)
    expected, actual = complete.result(), pieces.result()
    assert (actual.differing, actual.elements, actual.max_steps) == (
        expected.differing,
        expected.elements,
        expected.max_steps,
    )
    assert actual.sqnr_db == pytest.approx(expected.sqnr_db)
    assert actual.cosine == pytest.approx(expected.cosine)


def test_a_model_that_would_not_end_is_not_given_to_the_quantizer(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (float[1,4] x) => (float[1,4] y)
    <int64 n = {9223372036854775807}, bool c = {1}, float[4,4] w = {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7}>
    { m = MatMul(x, w)
      y = Loop(n, c, m) <body = b (int64 i, bool k, float[1,4] a) => (bool k2, float[1,4] a2)
        { k2 = Identity(k)
          a2 = Add(a, a) }> }"""
    source = from_text(text, tmp_path)
    sample = {"x": np.ones((1, 4), np.float32)}
    with limited(budget_of(time_limit="0.5s")), pytest.raises(ModelError, match=r"took more than 0\.5 s"):
        quantize(source, [sample], Settings())


def test_relative_paths_are_those_of_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from_text(DOUBLED, tmp_path)
    monkeypatch.chdir(tmp_path)  # the other process was started elsewhere
    path = Path("model.onnx")
    assert refused_by("check", path, 1) is None
    assert refused_by("infer", path, 1) is None
    assert RuntimeSession(str(path), path, Path()).run(["y"], {"x": ONE})[0].tolist() == [2.0] * 4


def test_a_system_that_takes_no_limit_of_the_address_space_still_runs_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As macOS does."""
    (tmp_path / "resource.py").write_text(
        "RLIM_INFINITY, RUSAGE_SELF = -1, 0\n"
        "RLIMIT_AS, RLIMIT_CPU, RLIMIT_CORE = 9, 0, 4\n"
        "from types import SimpleNamespace\n"
        "def getrusage(who): return SimpleNamespace(ru_utime=0.1, ru_stime=0.1)\n"
        "def getrlimit(kind): return RLIM_INFINITY, RLIM_INFINITY\n"
        "def setrlimit(kind, limits): raise ValueError('current limit exceeds maximum limit')\n"
    )
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    )
    where = subprocess.run(
        [sys.executable, "-P", "-c", "import resource; print(resource.__file__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.strip() == str(tmp_path / "resource.py")
    PROCESS.end()
    try:
        source = from_text(DOUBLED, tmp_path)
        (result,) = Runner(source, source.graph).run({"x": ONE})
        types, complaint = inferred_by_onnx(source.proto.SerializeToString(), Budget())
    finally:
        PROCESS.end()
    assert result.tolist() == [2.0] * 4
    assert types["y"].shape == (4,), complaint


def test_a_machine_without_onnxruntime_is_told_so_and_no_model_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = from_text(DOUBLED, tmp_path)
    (tmp_path / "onnxruntime.py").write_text("raise ModuleNotFoundError('onnxruntime')\n")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    )
    PROCESS.end()
    try:
        with pytest.raises(ModelError) as told:
            Runner(source, source.graph)
    finally:
        PROCESS.end()
    said = "the process that runs models did not start; is onnxruntime installed?"
    assert str(told.value) == f"{source.path}: {said}"
