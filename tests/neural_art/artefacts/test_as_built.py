"""The build that a file of ST's tools states: options, never answers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from builders.artefacts.texts import NETWORK_C
from builders.models import SHARED

from npuscope.machine.build import Build
from npuscope.machine.machine import target, target_of
from npuscope.machine.pools import PoolSpec
from npuscope.model.errors import ModelError
from npuscope.neural_art.artefacts.as_built import specs
from npuscope.neural_art.artefacts.values import Pool
from npuscope.services.builds import BuildOptions, as_built

HEAD = """\
ST Edge AI Core v2.2.0-20266 2adc00962
Created date          : 2025-07-01 10:00:00
Parameters            : generate --model a.tflite --target stm32n6 --input-data-type uint8 --inputs-ch-position chlast {more}
Compiler version: atonn 1.1.1-14
Compiler arguments:  -i a_OE_3_3_0.onnx --load-mpool C:\\my pools\\a.mpool {options} --native-float --Os
"""
POOLS = """\
Memory usage information  (input/output buffers are included in activations)
    npuRAM5   [0x342E0000 - 0x34350000]:    400.000 kB / 448.000 kB  ( 89.29 % used) -- weights: 0 B ( 0.00 % used)  activations: 400.000 kB ( 89.29 % used)
    own       [0x34100000 - 0x34180000]:          0 B / 512.000 kB  (  0.00 % used) -- weights: 0 B ( 0.00 % used)  activations: 0 B ( 0.00 % used)
    flexMEM   [0x34000000 - 0x34000000]:          0 B /       0 B  (  0.00 % used) -- weights: 0 B ( 0.00 % used)  activations: 0 B ( 0.00 % used)
    octoFlash [0x70180000 - 0x70580000]:      1.000 MB /   4.000 MB  ( 25.00 % used) -- weights: 1.000 MB ( 25.00 % used)  activations: 0 B ( 0.00 % used)
"""
ANSWERS = """\
Total number of epochs: 2 of which 1 implemented in software
epoch ID   HW/SW/EC Operation (SW only)
epoch 1       HW
epoch 2      -SW-   ( Conv )
"""


def write(folder: Path, text: str, name: str = "report.txt") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("-O3 --Oalt-sched --enable-epoch-controller", ("3", "alt", True)),
        ("--optimization 0 --Oauto-sched", ("0", "auto", False)),
        ("", ("default", "default", False)),
    ],
)
def test_the_compilers_options(tmp_path: Path, options: str, expected: tuple[str, str, bool]) -> None:
    build = as_built(write(tmp_path, HEAD.format(options=options, more="--output-data-type int8,float32")))
    assert build.toolchain == "2.2"
    assert (build.optimization, build.scheduler, build.epoch_controller) == expected
    assert (build.input_data_types, build.output_data_types) == (("uint8",), ("int8", "float32"))
    assert (build.input_channel_positions, build.output_channel_positions) == (("chlast",), ())


@pytest.mark.parametrize(("options", "swish"), [("-O3 --SWISH-recognition", True), ("-O3", False)])
def test_recognising_a_swish_is_an_option(tmp_path: Path, options: str, swish: bool) -> None:
    assert as_built(write(tmp_path, HEAD.format(options=options, more=""))).swish is swish


def test_a_report_cut_before_its_table_says_the_same(tmp_path: Path) -> None:
    head = HEAD.format(options="-O3", more="")
    complete, cut = write(tmp_path, head + POOLS + ANSWERS), write(tmp_path, head + POOLS, "cut.txt")
    assert as_built(complete) == replace(as_built(cut), mpool=complete)


def test_pools_of_a_report_are_those_of_the_memory_they_lie_in(tmp_path: Path) -> None:
    build = as_built(write(tmp_path, HEAD.format(options="-O3", more="") + POOLS))
    standard = {pool.name: pool for pool in target().pools}
    assert build.pools == (
        replace(standard["npuRAM5"], size=458_752),
        replace(standard["octoFlash"], size=4 << 20, address=0x70180000),
        replace(standard["cpuRAM2"], name="own", size=512 << 10),
    )
    assert target_of(build).pools == build.pools


def test_pools_that_say_more_and_pools_that_are_not_the_compilers() -> None:
    listed = (
        Pool("a", 1000, start=0x34200000, byte_width=4, freq_ratio=2.0, attributes=(("rights", "ACC_READ"),)),
        Pool("b", 1000, start=0x90000000, attributes=(("use_for_initrs", "False"), ("read_power", "x"))),
        Pool("a_b", 2000, start=0x34200000),
        Pool("_user_io_input_0", 100, start=0),
        Pool("empty", 0, start=0x34100000),
        Pool("endless", 1 << 62, start=0x34100000),
    )
    first, second = specs(listed)
    assert (first.name, first.byte_width, first.freq_ratio, first.writable) == ("a", 4, 2.0, False)
    assert (second.name, second.external, second.constants_preferred) == ("b", True, False)
    assert all(
        isinstance(pool, PoolSpec) for pool in specs([Pool("unplaced", 10), Pool("far", 10, start=1 << 60)])
    )


def test_options_stand_over_what_a_file_states(tmp_path: Path) -> None:
    report = write(tmp_path, HEAD.format(options="-O3", more=""))
    build = BuildOptions(toolchain="3.0", as_built=report, optimization="0", epoch_controller=True).build()
    assert (build.toolchain, build.optimization, build.epoch_controller) == ("3.0", "0", True)
    assert build.input_data_types == ("uint8",)


def test_generated_code_states_its_version_and_options(tmp_path: Path) -> None:
    build = as_built(write(tmp_path, NETWORK_C, "network.c"))
    assert build.toolchain in ("2.0", "2.1", "2.2", "3.0", "4.0") and build.optimization


@pytest.mark.parametrize(("taken", "scheduler"), [("true", "alt"), ("false", "auto")])
def test_generated_code_states_which_scheduler_auto_took(taken: str, scheduler: str, tmp_path: Path) -> None:
    stated = f" * --Oauto-sched = true\n *\n * auto* option expanded into:\n *   alt-scheduler = {taken}\n"
    code = NETWORK_C.replace("\n */", f"\n{stated} */", 1)
    assert code != NETWORK_C
    assert as_built(write(tmp_path, code, "network.c")).scheduler == scheduler


PROFILES = {
    "Profiles": {
        "fast": {"memory_pool": "./own.mpool", "options": "--enable-epoch-controller -O3 --Oauto-sched --Os"},
        "small": {"memory_pool": "./gone.mpool", "options": "--Os"},
    }
}


def test_a_profile_is_chosen_by_name(tmp_path: Path) -> None:
    pool = {
        "name": "only", "prop": {"rights": "ACC_WRITE", "byteWidth": 8, "freqRatio": 2.5},
        "offset": {"value": "0x34100000", "magnitude": "BYTES"}, "size": {"value": "64", "magnitude": "KBYTES"},
    }  # fmt: skip
    write(tmp_path, json.dumps({"memory": {"mempools": [pool]}}), "own.mpool")
    path = write(tmp_path, json.dumps(PROFILES), "user_neuralart.json")
    fast = as_built(f"fast@{path}")
    assert (fast.optimization, fast.scheduler, fast.epoch_controller) == ("3", "auto", True)
    assert [pool.name for pool in fast.pools] == ["only"]
    small = as_built(f"small@{path}")
    assert (small.optimization, small.epoch_controller, small.pools) == ("default", False, ())
    for name in (path, f"other@{path}"):
        with pytest.raises(ModelError, match="fast, small"):
            as_built(name)


@pytest.mark.parametrize("text", ["", "nothing of note\n", "epoch 1 HW\n" * 3, "{}"])
def test_files_that_state_no_build_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ModelError) as error:
        as_built(write(tmp_path, text))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("face_landmark_192/report.txt", ("2.2", "3", "alt", True, ("uint8",), ("int8",), ("chlast",), 6)),
        ("face_landmark_192/c_info.json", ("2.2", "3", "alt", True, ("uint8",), ("int8",), ("chlast",), 6)),
        ("mobilefacenet_qop/report.txt", ("2.1", "0", "alt", True, ("float32",), (), (), 7)),
        ("timeseries_conv2d/report.txt", ("4.0", "default", "auto", False, (), (), (), 3)),
        ("yolov8n_micro_224/report_and_board.txt", ("4.0", "default", "auto", True, (), (), (), 7)),
        ("speech_tcnn_257/report_2.0.txt", ("2.0", "3", "default", False, (), (), (), 3)),
        ("tcn_calculator/network.c", ("4.0", "3", "auto", False, (), (), (), 1)),
        ("mlp_gmpp/network.c", ("4.0", "default", "auto", True, (), (), (), 7)),
    ],
)
def test_public_builds(file: str, expected: tuple[object, ...]) -> None:
    path = SHARED / "groundtruth/cases" / file
    if not path.exists():
        pytest.skip("the compiler outputs are not here")
    build = as_built(str(path))
    assert (
        build.toolchain, build.optimization, build.scheduler, build.epoch_controller, build.input_data_types,
        build.output_data_types, build.input_channel_positions, len(build.pools),
    ) == expected  # fmt: skip
    assert isinstance(build, Build)
