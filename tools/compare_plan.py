"""Plan every model at hand, make the plan, load the result in onnxruntime and verify it.

Usage: compare_plan.py [--shared FOLDER] [--write] [MODEL ...]     prints a table as Markdown; --write puts it in
docs/plans.md. Exit status 1 if a plan makes a model worse or its result cannot be used.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx

from npuscope.edits.edit import Refusal
from npuscope.files.onnx_file import write
from npuscope.machine.machine import target
from npuscope.model.errors import ModelError
from npuscope.npu.times import in_ms
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.verify_regions import LocalVerification, verify_local
from npuscope.planning.plan import Allowed, Budget, Plan, apply, loss
from npuscope.planning.planner import plan
from npuscope.services.open import open_model
from npuscope.session import Session
from npuscope.snapshot import Summary, analyse

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
SAMPLES = 4
SECONDS = 600.0
"""For a search, so that what is found does not hang on what else the machine does."""


@dataclass(frozen=True)
class Outcome:
    """What a plan made of a model."""

    name: str
    nodes: int
    plan: Plan
    seconds: float
    checked: LocalVerification

    @property
    def worse(self) -> bool:
        """More layers off the NPU or in software than before, or more time."""
        one, other = self.plan.before, self.plan.after
        before, after = (one.off_npu, one.on_cpu), (other.off_npu, other.on_cpu)
        return after > before or other.milliseconds > one.milliseconds + 1e-9


def models(shared: Path) -> Iterator[tuple[str, Path]]:
    """The samples, and the networks of the ground truth."""
    for path in sorted((ROOT / "sample_models").glob("*.onnx")):
        yield path.stem, path
    for path in sorted((shared / "groundtruth" / "cases").rglob("*.onnx")):
        yield f"{path.parent.name} ({path.stem})" if path.stem == "OE" else path.parent.name, path


def outcome(name: str, path: Path, budget: Budget) -> Outcome:
    """Plan, make, write, check, load, run. Raises where the result cannot be used."""
    source = open_model(path)
    session = Session.open(source, target())
    snapshot = analyse(session)
    begin = time.perf_counter()
    result = plan(session, snapshot, budget)
    seconds = time.perf_counter() - begin
    samples = random_samples(source, SAMPLES)
    changed = apply(session, result, samples=samples)
    if isinstance(changed, Refusal):
        raise ModelError(f"{name}: the plan cannot be made: {changed}")
    with tempfile.TemporaryDirectory() as folder:
        if changed.done:
            written = write(changed, Path(folder) / "planned.onnx")  # shape inference, onnxruntime
            onnx.checker.check_model(str(written.path))
    return Outcome(name, len(source.graph.nodes), result, seconds, verify_local(changed, inputs=samples))


def row(result: Outcome) -> str:
    """A line of the table."""
    before, after = result.plan.before, result.plan.after
    steps = result.plan.steps
    exact = sum(not loss(step.exactness) for step in steps)
    return " | ".join(
        (
            f"| {result.name}",
            f"{result.nodes}",
            f"{result.seconds:.1f} s",
            f"{len(steps)} ({exact} bit-exact)" if steps else "0",
            f"{_off(before)} → {_off(after)}",
            f"{in_ms(before.milliseconds)} → {in_ms(after.milliseconds)}",
            f"{_numbers(result.checked)} |",
        )
    )


def _off(summary: Summary) -> str:
    return f"{summary.on_cpu} + {summary.hybrid}"


def _numbers(checked: LocalVerification) -> str:
    if checked.bit_exact:
        return "bit-exact"
    worst = [o.sqnr_db for region in checked.regions for o in region.outputs if o.sqnr_db is not None]
    steps = max((o.max_steps for region in checked.regions for o in region.outputs), default=0.0)
    local_loss = f"{min(worst):.0f} dB, {steps:.3g} steps" if worst else "exact"
    outputs = checked.whole_model.sqnr_db_min if checked.whole_model is not None else None
    return (
        f"{local_loss}; outputs {outputs:.0f} dB"
        if outputs is not None
        else f"{local_loss}; outputs bit-exact"
    )


HEAD = """| model | nodes | search | steps | off the NPU (software + hybrid) | estimated ms | numbers |
|---|---|---|---|---|---|---|"""
PAGE = ROOT / "docs" / "plans.md"
BEGIN, END = "<!-- begin: tools/compare_plan.py -->", "<!-- end -->"


def main(arguments: list[str] | None = None) -> int:
    """Print the tables, or put them in the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--shared", type=Path, default=SHARED)
    parser.add_argument("--write", action="store_true", help="put the tables in docs/plans.md")
    options = parser.parse_args(arguments)
    chosen = [(path.stem, path) for path in options.models] or list(models(options.shared))
    lines, worse = [], 0
    for allowed in (Allowed.NEEDED, Allowed.EXACT):
        lines += [f"\n`--loss {allowed.value}`\n", HEAD]
        for name, path in chosen:
            result = outcome(name, path, Budget(allowed, seconds=SECONDS))
            worse += result.worse
            lines.append(row(result))
            print(lines[-1], file=sys.stderr)
    if options.write:
        before, after = PAGE.read_text().split(BEGIN)[0], PAGE.read_text().split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}")
    else:
        print("\n".join(lines))
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
