"""Convolutions of compiler graphs against the tiling that is predicted for them; part of compare_cost.py."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from npuscope.machine.machine import target
from npuscope.machine.variants import with_optimization
from npuscope.model.convolution import Convolution
from npuscope.neural_art.mapping.tiling import choose, simd_mode, work

NEAR = 0.01
"""Figures this close (relative) count as equal; prints have four digits."""


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


WITHOUT_O3 = frozenset({"blazeface_128", "mlp_gmpp", "mobilefacenet_qop", "mobilenet_v2_128"})
"""Networks that were compiled at another level than 3."""


@dataclass(frozen=True)
class ConvolutionCheck:
    """One row of conv_costs.csv beside the simulation."""

    case: str
    toolchain: str
    node: str
    agrees: Mapping[str, bool]
    want: str
    got: str


COLUMNS = ("simd", "deep1x1", "dss2", "accelerators", "choked", "cycles")


def convolutions(table: Path) -> Iterator[ConvolutionCheck]:
    """Every row that is a whole convolution of a model."""
    for row in rows_of(table):
        conv = geometry(row)
        if conv is None:
            continue
        zero_point = int(row["fsub"]) if row["fsub"] else 0
        machine = with_optimization(target(row["toolchain"]), "0" if row["case"] in WITHOUT_O3 else "3")
        tiling = choose(conv, simd_mode(zero_point), machine)
        want = int(row["latency_cycles"])
        if tiling is None:
            yield ConvolutionCheck(row["case"], row["toolchain"], row["node"], {}, str(want), "no tiling")
            continue
        done = work(tiling, conv)
        agrees = {
            "simd": tiling.simd == row["simd"],
            "deep1x1": tiling.deep1x1 == (row["deep1x1"] == "1"),
            "dss2": tiling.dss2 == (row["dss2"] == "1"),
            "accelerators": tiling.accelerators == int(row["accelerators"]),
            "choked": set(done.choked) == set(row["choked"].split()),
            "cycles": abs(done.cycles - want) <= max(NEAR * want, 6),
        }
        yield ConvolutionCheck(
            row["case"],
            row["toolchain"],
            row["node"],
            agrees,
            f"{want} {row['simd']} {row['choked']} P{row['accelerators']}",
            f"{done.cycles} {tiling.simd} {' '.join(done.choked)} P{tiling.accelerators}",
        )


def geometry(row: Mapping[str, str]) -> Convolution | None:
    """A row as the convolution of the model, None where it is a part of one or inserted."""
    needed = ("kernel", "weight", "input", "output", "stride", "pads", "dilation", "latency_cycles")
    if not all(row[key] for key in needed) or "subm" in row["node"] or row["node"].startswith("Pad"):
        return None
    batch, channels, height, width = _dims(row["input"])
    out = _dims(row["output"])
    kernel, stride, dilation = (_dims(row[key]) for key in ("kernel", "stride", "dilation"))
    pads = tuple(int(x) for x in row["pads"].split())
    size = [
        (n + pads[i] + pads[i + 2] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1
        for i, n in enumerate((height, width))
    ]
    if size != list(out[2:]) or len(pads) != 4:
        return None
    group = channels if row["inflated"] == "1" else int(row["group"])
    return Convolution(
        channels, out[1], group, _pair(kernel), _pair(stride), _pair(dilation),
        (pads[0], pads[1], pads[2], pads[3]), (height, width), _pair(out[2:]), batch,
    )  # fmt: skip


def _dims(text: str) -> tuple[int, ...]:
    return tuple(int(x) for x in text.split("x"))


def _pair(values: tuple[int, ...]) -> tuple[int, int]:
    return values[0], values[1]
