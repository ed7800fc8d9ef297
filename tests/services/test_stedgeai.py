"""ST's compiler: which options it is given, the files it reads, and runs of a stand-in that end in every way."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep

import pytest
from builders.artefacts.compared import REPORT
from builders.artefacts.fake_compiler import install
from builders.artefacts.listed import LISTED
from builders.models import DENOISER, SAMPLES, SHARED, from_text
from hypothesis import given
from hypothesis import strategies as st

from npuscope.cli.main import main
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.jobs import Job, StoppedError
from npuscope.machine.catalogue import TOOLCHAINS
from npuscope.machine.machine import target, target_of
from npuscope.machine.mpool_file import mpool_text
from npuscope.machine.pools import PoolSpec, read_mpool
from npuscope.model.errors import ModelError
from npuscope.model.load import load
from npuscope.neural_art.artefacts.artefact import read
from npuscope.neural_art.artefacts.as_built import specs
from npuscope.services import open as opening
from npuscope.services.builds import BuildOptions, as_built
from npuscope.services.stedgeai import program
from npuscope.services.stedgeai.compile import compile_model
from npuscope.services.stedgeai.files import write_files
from npuscope.services.stedgeai.options import Compilation, choose
from npuscope.services.stedgeai.program import find_program
from npuscope.session import Session
from npuscope.snapshot import analyse

CASES = SHARED / "groundtruth" / "cases"
MINI = SAMPLES / "mobilenet_mini_int8.onnx"
posix = pytest.mark.skipif(os.name != "posix" or sys.platform == "darwin", reason="the stand-in is a script")


def chosen(path: Path = DENOISER, **asked: object) -> Compilation:
    options = BuildOptions(**asked)  # type: ignore[arg-type]
    return choose(Session.open(load(path), target_of(options.build())), options)


# -- options


@pytest.mark.parametrize("version", TOOLCHAINS)
def test_each_option_has_a_reason_and_a_source(version: str) -> None:
    made = chosen(MINI, toolchain=version)
    assert all(
        option.reason and option.source for option in (*made.profile, *made.command_line, made.pools_reason)
    )
    assert ("--expand-softmax" in made.profile_options) == made.session.target.toolchain.expand_softmax
    assert ("--mvei" in made.profile_options) == (version < "3.0")
    assert made.snapshot.target is made.session.target
    assert "--input-data-type int8" in [option.option for option in made.command_line]


def test_what_is_asked_for_stands(tmp_path: Path) -> None:
    pools = tmp_path / "own.mpool"
    pools.write_text(mpool_text(target().pools))
    made = chosen(
        MINI, optimization="1", scheduler="alt", epoch_controller=False, input_data_type="uint8",
        inputs_ch_position="chlast", mpool=str(pools),
    )  # fmt: skip
    assert made.profile_options.startswith("--optimization 1 --Oalt-sched --native-float")
    assert "--enable-epoch-controller" not in made.profile_options
    assert made.pools == target().pools
    assert [option.option for option in made.command_line] == [
        "--input-data-type uint8", "--inputs-ch-position chlast",
    ]  # fmt: skip
    assert {option.source for option in made.command_line} == {"asked"}


def test_pools_are_on_the_chip_where_all_fits_and_the_boards_otherwise(tmp_path: Path) -> None:
    assert not any(pool.external for pool in chosen().pools)
    large = from_text(
        """<ir_version: 8, opset_import: ["" : 13]>
        g (int8[1,1024] x) => (int8[1,4096] y)
        <float s = {0.02}, int8 z = {0}, int8[4096,1024] w, float ws = {0.01}> {
            d = DequantizeLinear (x, s, z)
            wd = DequantizeLinear (w, ws, z)
            r = Gemm <transB = 1> (d, wd)
            y = QuantizeLinear (r, s, z)
        }""",
        tmp_path,
    )
    made = chosen(large.path, board="NUCLEO-N657X0-Q")
    assert any(pool.external for pool in made.pools)
    assert "hyperRAM" not in {pool.name for pool in made.pools}
    assert "do not fit" in made.pools_reason.reason and "NUCLEO" in made.pools_reason.reason


def test_the_epoch_controller_is_taken_where_it_is_predicted_to_be_faster() -> None:
    made = chosen()
    other = replace(made.session, target=target_of(replace(made.target.build, epoch_controller=False)))
    assert made.target.epoch_controller
    assert made.snapshot.summary.milliseconds < milliseconds(other)


def milliseconds(session: Session) -> float:
    return analyse(session).summary.milliseconds


# -- files


@pytest.mark.parametrize("asked", [{}, {"toolchain": "2.1", "optimization": "0"}, {"scheduler": "alt"}])
def test_what_is_written_is_read_back(tmp_path: Path, asked: dict[str, str]) -> None:
    made = chosen(**asked)
    profile, pools = (file.path for file in write_files(made, tmp_path / "new"))
    build = as_built(f"npuscope@{profile}")
    kept = made.target.build
    assert (build.optimization, build.scheduler, build.epoch_controller, build.pools) == (
        kept.optimization, kept.scheduler, kept.epoch_controller, made.pools,
    )  # fmt: skip
    assert read_mpool(pools) == made.pools == specs(read(pools).pools)
    assert read(pools).not_understood == read(profile).not_understood == ()
    assert all(file.was_there for file in write_files(made, tmp_path / "new"))


def test_other_files_of_these_names_are_not_replaced(tmp_path: Path) -> None:
    own = tmp_path / "npuscope.mpool"
    own.write_text("mine")
    with pytest.raises(ModelError, match="--force"):
        write_files(chosen(), tmp_path)
    assert own.read_text() == "mine" and [path.name for path in tmp_path.iterdir()] == ["npuscope.mpool"]
    write_files(chosen(), tmp_path, force=True)
    assert read_mpool(own) == chosen().pools


POOL = st.builds(
    PoolSpec,
    name=st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20),
    size=st.integers(0, 1 << 40),
    byte_width=st.integers(1, 64),
    freq_ratio=st.floats(0.125, 64),
    writable=st.booleans(),
    constants_preferred=st.booleans(),
    external=st.booleans(),
    address=st.integers(0, 2**32 - 1),
    read_power=st.floats(0, 1000),
    write_power=st.floats(0, 1000),
)


@given(st.lists(POOL, max_size=8))
def test_pools_are_the_same_when_they_are_read_again(
    tmp_path_factory: pytest.TempPathFactory, pools: list[PoolSpec]
) -> None:
    path = tmp_path_factory.mktemp("pools") / "p.mpool"
    listed = (*pools, target().pools[0])
    path.write_text(mpool_text(listed), "utf-8")
    assert read_mpool(path) == listed


@pytest.mark.parametrize("name", ["user_neuralart.json", "user_neural_art.json"])
@pytest.mark.parametrize("asked", ["user_neuralart.json", "user_neural_art.json", "."])
def test_both_spellings_are_read(tmp_path: Path, name: str, asked: str) -> None:
    profile, _ = write_files(chosen(optimization="1"), tmp_path)
    profile.path.rename(tmp_path / name)
    assert as_built(f"npuscope@{tmp_path / asked}").optimization == "1"


published = pytest.mark.skipif(not CASES.is_dir(), reason="ST's files are not here")


@published
def test_profile_and_pools_are_sts_in_what_they_share(tmp_path: Path) -> None:
    made = chosen(toolchain="2.1", epoch_controller=False)
    profile, _ = write_files(made, tmp_path)
    ours, vendor = (dict(pairs(path)) for path in (profile.path, CASES / "user_neural_art.json"))
    shared = ours.keys() & vendor.keys() - {"memory_pool"}
    assert {"--Os", "--native-float", "--mvei", "--Omax-ca-pipe", "--csv-file", "level"} <= shared
    assert {name: ours[name] for name in shared} == {name: vendor[name] for name in shared}
    assert vendor.keys() - ours.keys() == {"machine_desc"}


def pairs(path: Path) -> list[tuple[str, str]]:
    listed = []
    for _, text in read(path).options:
        name, _, value = text.partition(" ")
        listed.append(("level", value or "3") if name in ("-O3", "--optimization") else (name, value))
    return listed


@published
@pytest.mark.parametrize("name", ["stm32n6.mpool", "ocr_det_160/stm32n6.mpool", "cnn_small_40/pools.mpool"])
def test_pools_are_sts_in_all_but_their_room(tmp_path: Path, name: str) -> None:
    path = tmp_path / "p.mpool"
    path.write_text(mpool_text(target().pools))
    ours, vendor = ({pool["name"]: pool for pool in entries(file)} for file in (path, CASES / name))
    both = ours.keys() & vendor.keys()
    assert len(both) >= 4
    for pool in both:
        assert ours[pool]["fname"] == vendor[pool]["fname"]
        for key, value in ours[pool]["prop"].items():
            head, *rest = key.split("_")
            camel = head + "".join(map(str.title, rest))
            stated = vendor[pool]["prop"].get(key, vendor[pool]["prop"].get(camel))
            assert str(stated).lower() == str(value).lower() or float(stated) == float(value)


def entries(path: Path) -> list[dict[str, object]]:
    return list(json.loads(path.read_text())["memory"]["mempools"])


# -- runs


KINDS = {
    "report.txt": "report", "c_info.json": "c_info", "tmp.dot": "dot", "network.c": "network_c", "network.csv": "network_csv",
    "atonn_options.ini": "options", "Q.json": "quantization", "report_and_board.txt": "report",
}  # fmt: skip


def listed_cases() -> dict[str, dict[str, str]]:
    """Case -> its files, of those that tests have texts of."""
    cases: dict[str, dict[str, str]] = {}
    for name, text in LISTED.items():
        case, _, file = name.rpartition("/")
        if file in KINDS:
            cases.setdefault(case, {})[file] = text
    return {case: files for case, files in cases.items() if files.keys() - {"Q.json"}}


def replayed(folder: Path, monkeypatch: pytest.MonkeyPatch, model: Path, files: list[Path]) -> set[str]:
    """What a compiler that writes these files gives; the kinds of its artefacts."""
    install(folder, monkeypatch, files)
    session = Session.open(opening.open_model(model), target())
    made = replace(chosen(epoch_controller=False), session=session)  # the options do not matter to a replay
    compiled = compile_model(made, folder / "out")
    assert (compiled.run.status, compiled.failure, compiled.unread) == (0, "", ())
    assert compiled.comparison is not None and compiled.snapshot is not None
    return {artefact.kind for artefact in compiled.comparison.artefacts}


@posix
@pytest.mark.parametrize("case", listed_cases())
def test_what_the_compiler_wrote_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    files = [tmp_path / name for name in listed_cases()[case]]
    for file in files:
        file.write_text(listed_cases()[case][file.name], "utf-8")
    assert replayed(tmp_path, monkeypatch, DENOISER, files) >= {KINDS[file.name] for file in files}


@posix
@published
@pytest.mark.parametrize(
    "case", ["ocr_det_160", "mobilefacenet_qop_22", "yolov11n_micro_224", "mlp_gmpp", "citrinet_256"]
)
def test_each_public_case_is_compiled_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Between them these have every kind of artefact and of model."""
    place = CASES / case
    models = [place / name for name in ("model.onnx", "OE.onnx") if (place / name).exists()]
    suffixes = (".txt", ".json", ".dot", ".csv", ".c", ".ini")
    files = [
        path for path in sorted(place.iterdir()) if path.suffix in suffixes and path.name != "placement.csv"
    ]
    kinds = replayed(tmp_path, monkeypatch, models[0] if models else DENOISER, files)
    assert kinds >= {KINDS[file.name] for file in files if file.name in KINDS}


@posix
def test_run_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "network_generate_report.txt").write_text(REPORT)
    install(tmp_path, monkeypatch, [tmp_path / "network_generate_report.txt"])
    monkeypatch.chdir(tmp_path)
    before = DENOISER.read_bytes()
    for count, place in enumerate(("st_ai_output", "st_ai_output2")):
        assert main(["stedgeai", str(DENOISER), "--run", "--json"]) == 0
        reported = json.loads(capsys.readouterr().out)
        run = reported["run"]
        assert (run["status"], run["failure"], run["compare"]["schema"]) == (0, "", "npuscope.compare/1")
        assert Path(run["log"]) == Path("denoiser_lstm_int8_stedgeai") / place / "stedgeai.log", count
        assert "(stand-in)" in Path(run["log"]).read_text()
    assert main(["stedgeai", str(DENOISER), "--run"]) == 0
    assert "belongs to another layer" in capsys.readouterr().out
    assert DENOISER.read_bytes() == before


@posix
def test_an_edited_model_is_exported_and_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "report.txt").write_text(REPORT)
    install(tmp_path, monkeypatch, [tmp_path / "report.txt"])
    session = Session.open(load(DENOISER), target("2.1"))
    edited = session.edit(SplitInput("Gemm_28", (144, 113)))
    assert isinstance(edited, Session)
    compiled = compile_model(choose(edited, BuildOptions(toolchain="2.1")), tmp_path / "out")
    assert compiled.comparison is not None and (compiled.folder / "model.onnx").is_file()
    assert compiled.snapshot is not None and len(compiled.snapshot.layers) == len(edited.layers.layers)


FAILURES = {
    "status": (
        {"status": 3, "complaint": "E103(CliRuntimeError): \x1b[31mno room"},
        "ended with status 3: E103",
    ),
    "signal": ({"status": -11}, "stedgeai was ended by SIGSEGV: ST Edge"),
    "nothing": ({}, "wrote nothing that npuscope can read"),
    "late": ({"sleep": 60}, "its time limit"),
    "endless": ({"endless": True}, "printed more than"),
}


@posix
@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_a_line_and_the_log_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    behaviour, words = FAILURES[name]
    install(tmp_path, monkeypatch, **behaviour)  # type: ignore[arg-type]
    monkeypatch.setattr(program, "LARGEST_LOG", 1 << 20)
    out = tmp_path / "out"
    limit = ["--run-limit", "0.5"] if name == "late" else []
    assert main(["stedgeai", str(DENOISER), "-o", str(out), "--run", *limit]) == 1
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1 and "\x1b" not in error
    # One that is ended early may not have said a word yet; the log begins with the command.
    kept = "generate" if name == "late" else "(stand-in)"
    assert kept in (out / "st_ai_output" / "stedgeai.log").read_text("utf-8", "replace")


@posix
def test_an_unread_file_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "network_generate_report.txt").write_text(REPORT)
    (tmp_path / "network_c_info.json").write_text("{ half")
    install(tmp_path, monkeypatch, tmp_path.glob("network*"))
    assert main(["stedgeai", str(DENOISER), "-o", str(tmp_path / "out"), "--run"]) == 0
    assert "not read: " in capsys.readouterr().err


@posix
def test_a_stopped_run_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = tmp_path / "child"
    install(tmp_path, monkeypatch, sleep=60, child=child)
    reported: list[tuple[int, int]] = []
    job = Job(
        lambda done, total: reported.append((done, total)), lambda: bool(child.exists() and child.read_text())
    )
    with pytest.raises(StoppedError):
        compile_model(
            choose(Session.open(load(DENOISER), target()), BuildOptions()), tmp_path / "out", job=job
        )
    assert reported and reported[0] == (0, 1800)
    assert (tmp_path / "out" / "st_ai_output" / "stedgeai.log").exists()
    assert ends(int(child.read_text()))


def ends(process: int) -> bool:
    """Whether a process that was killed is gone shortly after: the system takes its own time."""
    until = monotonic() + 120
    while alive(process):
        if monotonic() > until:
            return False
        sleep(0.02)
    return True


def alive(process: int) -> bool:
    """A process that runs; one that ended and nobody has asked about does not."""
    try:
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


@pytest.mark.parametrize(
    ("home", "words"), [("", "is not on the path"), ("/nowhere/\x1b[2J", "holds no Utilities/")]
)
def test_a_missing_compiler_is_said_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: str, words: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("STEDGEAI_CORE_DIR", home)
    assert main(["stedgeai", str(DENOISER), "-o", str(tmp_path / "out"), "--run"]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1 and "\x1b" not in error


@posix
def test_the_compiler_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = install(tmp_path, monkeypatch)
    assert find_program({"PATH": str(place.parent)}) == str(place)
    assert find_program({"STEDGEAI_CORE_DIR": str(tmp_path / "core"), "PATH": ""}) == str(place)
