"""The forum case as it was printed, cut to what a comparison reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from builders.artefacts.texts import LOWERING
from builders.models import DENOISER
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.neural_art.artefacts.artefact import Artefact, read_text
from npuscope.neural_art.artefacts.values import Content, Node
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

EPOCHS = "".join(f"epoch {i} -SW- ( Conv )\n" if i in (2, 3, 21) else f"epoch {i} HW\n" for i in range(1, 24))


REPORT = (
    "ST Edge AI Core v2.1.0-20194 329b0e98d\n"
    "Total number of epochs: 23 of which 3 implemented in software\n"
    f"epoch ID HW/SW/EC Operation (SW only)\n{EPOCHS}"
)


THIRD = (
    LOWERING[: LOWERING.index("Lowering Gemm_30")]
    .replace("Conv2D_23", "Conv2D_79")
    .replace("id=80", "id=218")
)


LOG = LOWERING + THIRD


OFF = ["Conv2D_23", "Gemm_28", "Conv2D_79"]


def artefact(content: Content | str, path: str = "file") -> Artefact:
    read = read_text(content, path) if isinstance(content, str) else content
    return Artefact(**{name: getattr(read, name) for name in Content.__dataclass_fields__}, path=path)


def snapshot(path: Path = DENOISER, toolchain: str = "2.1") -> Snapshot:
    return analyse(Session.open(load(path), target(toolchain)))


def graph_of(model: Snapshot, **changes: object) -> list[Node]:
    """Nodes that agree with the prediction for the denoiser, Gemm_30's changed."""
    nodes = []
    for report in model.layers:
        cost = report.cost
        if cost is None or cost.tiling is None:
            continue
        node = Node(
            f"{report.name}_conv_7" if report.layer.kind == "Gemm" else report.name,
            "Conv",
            epoch=len(nodes) + 1,
            placement="hw" if not report.off_npu else "sw",
            unit="CONV_ACC_V2 0",
            latency_cycles=cost.compute_cycles,
            simd=cost.tiling.simd,
            deep1x1=cost.tiling.deep1x1,
            choked_ports=cost.choked_ports[::-1],
        )
        nodes.append(replace(node, **changes) if report.name == "Gemm_30" else node)  # type: ignore[arg-type]
    return nodes
