"""The networks whose cost is known: how each was compiled, and what its report and its board say."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from npuscope.machine.board import board
from npuscope.machine.machine import Target, target, target_of
from npuscope.machine.pools import PoolSpec
from npuscope.machine.variants import (
    with_epoch_controller,
    with_flash_clock,
    with_mpool,
    with_optimization,
    with_pools,
)
from npuscope.model.load import load
from npuscope.services.open import open_model
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse


@dataclass(frozen=True)
class Case:
    """One network as one tool version compiled it, on one board."""

    name: str
    toolchain: str
    model: str = "model.onnx"
    profile: str = "overdrive"
    controller: bool = False
    flash_hz: int | None = None
    board: str = ""
    optimized: bool = True
    """Built with -O3."""
    pools: str = ""
    """'c_info': those its c_info.json lists; else an .mpool file of the cases folder; '' for ST's defaults."""
    board_ms: float | None = None
    weights: int | None = None
    activations: int | None = None
    """Bytes, as its report prints them."""
    where: str = ""

    def target(self, cases: Path) -> Target:
        """What it was compiled for."""
        machine = target(self.toolchain, self.profile)
        if self.board:
            machine = target_of(replace(machine.build, board=board(self.board)))
        if self.pools == "c_info":
            machine = with_pools(machine, _listed_pools(cases / self.name / "c_info.json"), "c_info")
        elif self.pools:
            machine = with_mpool(machine, cases / self.pools)
        if self.flash_hz is not None:
            machine = with_flash_clock(machine, self.flash_hz)
        if not self.optimized:
            machine = with_optimization(machine, "0")
        return with_epoch_controller(machine) if self.controller else machine

    def snapshot(self, cases: Path) -> Snapshot:
        """The analysis."""
        path = cases / self.name / self.model
        source = open_model(path) if path.name.startswith("OE") else load(path)
        return analyse(Session.open(source, self.target(cases)))


XIP = "600/800 MHz, external memory at 50 MHz, code in flash"
CASES = (
    Case("ocr_det_160", "2.2", pools="c_info", weights=1_417_281, activations=2_168_888),
    Case("mobilenet_v2_128", "3.0", "OE.onnx", optimized=False, pools="c_info", weights=212_609, activations=245_760),
    Case("mobilefacenet_qop", "2.1", optimized=False, controller=True, pools="c_info", weights=1_242_529, activations=4_116_480),
    Case("ssd_mobilenet_v1_256", "2.1", "OE.onnx", controller=True, pools="c_info", weights=822_337,
         activations=786_432),
    Case("blazeface_128", "2.2", "OE.onnx", optimized=False, pools="c_info", weights=166_225, activations=540_672),
    Case("timeseries_conv2d", "4.0", "OE.onnx", optimized=False, pools="c_info", weights=57_505, activations=48_000),
    Case("mobilenet_v2_224", "2.2", board_ms=20.69, weights=4_137_361, activations=2_107_392,
         where="800/1000 MHz"),
    Case("mobilenet_v2_224", "4.0", profile="nominal", controller=True, flash_hz=50_000_000, board_ms=49.34,
         where=XIP),
    Case("yolov11n_micro_224", "4.0", profile="nominal", optimized=False, controller=True, board="NUCLEO-N657X0-Q", board_ms=42.94,
         weights=2_621_233, activations=457_856, where="600/800 MHz, NUCLEO-N657X0-Q"),
    Case("yolov8n_micro_224", "4.0", profile="nominal", optimized=False, controller=True, board="NUCLEO-N657X0-Q", board_ms=47.58,
         where="600/800 MHz, NUCLEO-N657X0-Q"),
    Case("yamnet_1024", "2.0", pools="stm32n6.mpool", controller=True, board_ms=9.88, weights=3_581_153, activations=147_456,
         where="ST's table, 800/1000 MHz"),
    Case("speech_tcnn_257", "2.0", pools="stm32n6.mpool", controller=True, board_ms=53.76, weights=1_665_905, activations=102_488,
         where="ST's table, 800/1000 MHz"),
)  # fmt: skip


def _listed_pools(path: Path) -> tuple[PoolSpec, ...]:
    """The pools of a c_info.json, without those the compiler makes of others."""
    pools = []
    for pool in json.loads(path.read_text())["memory_pools"]:
        name, attributes = pool["name"], pool["attributes"]
        if "_" in name:  # cpuRAM2_npuRAM3..., _user_io_input_0
            continue
        pools.append(
            PoolSpec(
                name,
                pool["size_bytes"],
                attributes["byte_width"],
                attributes["freq_ratio"],
                pool["rights"] != "ACC_READ" and "Flash" not in name,
                attributes["use_for_initrs"],
                attributes["use_for_initrs"],
                int(str(pool["address"]), 0),
                attributes["read_power"],
                attributes["write_power"],
            )
        )
    return tuple(pools)
