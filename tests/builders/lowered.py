"""The steps a network is lowered to, one line each, as a test states them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import onnx

from builders.network_text import network
from npuscope.machine.build import Build
from npuscope.machine.machine import target_of
from npuscope.model.load import load
from npuscope.neural_art.lowering.dispatch import lower
from npuscope.neural_art.lowering.lower import Lowering, Placed, in_order
from npuscope.neural_art.lowering.steps import Read, Step
from npuscope.session import Session
from npuscope.snapshot import analyse

UNITS = ("conv", "arith", "activ", "pool")
MARKS = ("copy", "renames", "free", "loops", "portioned", "begins")


def told(step: Step, batches: Mapping[str, int]) -> str:
    """`layer: placement op[!] reads > writes; units, marks; elements, bytes`.

    `!` marks the step that leads its layer, `~` a read that may be chained, `x3` the stream engines it takes if not one; `by 8`
    says that what it writes comes eight channels at a time, nothing that all come at once.
    The bytes are said of the compiler's own tensors: those of the model have theirs.
    """
    reads, writes = " ".join(map(_read, step.reads)), " ".join(step.writes)
    line = f"{step.layer or '-'}: {step.placement.value} {step.op}{'!' * step.lead} {reads} > {writes}"
    units = [f"{unit} {getattr(step, unit)}" for unit in UNITS if getattr(step, unit)]
    units += [f"streams +{step.extra_streams}"] if step.extra_streams else []
    units += [f"part {step.share:.3g}"] if step.share != 1 else []
    units += [f"constants {step.constant_bytes}"] if step.constant_bytes else []
    units += [f"beside {' '.join(step.beside)}"] if step.beside else []
    units += [mark for mark in MARKS if getattr(step, mark)]
    batch = {batches[name] for name in step.writes}
    line += f" by {max(batch)}" if batch - {0} else ""
    own = any("#" in name for name in step.writes)
    sizes = f"{step.elements}, {step.stored_bytes}" if own else f"{step.elements}"
    return "; ".join([line, *([", ".join(units)] if units else []), sizes])


def _read(read: Read) -> str:
    return f"{'~' * read.chained}{read.tensor}{'' if read.streams == 1 else f'x{read.streams}'}"


class Case(NamedTuple):
    """What a network is lowered to."""

    network: str
    toolchain: str
    build: dict[str, Any]
    of: frozenset[str]
    """The layers whose steps are stated; none named: all."""
    steps: list[str]


def cases(table: str) -> dict[str, Case]:
    """The cases of a table: `== what` and `# why, and the source`, a network, then for versions the steps they make of it.

    `-> 2.1 2.2`, `-> 2.2 optimization=1`, `-> 3.0 of b c`, with the steps of these layers alone.
    """
    found: dict[str, Case] = {}
    for block in re.split("^== ", table, flags=re.MULTILINE)[1:]:
        what, *lines = [line for line in block.strip().splitlines() if line and line[0] != "#"]
        network, *expected = "\n".join(lines).split("\n-> ")
        for one in expected:
            head, *made = one.split("\n")
            asked, _, of = head.partition(" of ")
            options: dict[str, Any] = dict(word.split("=") for word in asked.split() if "=" in word)
            for toolchain in [word for word in asked.split() if "=" not in word]:
                name = f"{what}, {toolchain}{''.join(f' -{k} {v}' for k, v in options.items())}"
                assert name not in found, name
                found[name] = Case(network, toolchain, options, frozenset(of.split()), made)
    return found


def lowered(case: Case, folder: Path) -> list[str]:
    """The steps of its network that a case is about."""
    path = folder / "model.onnx"
    onnx.save(network(case.network), path)
    options = {key: (value,) if key.endswith("types") else value for key, value in case.build.items()}
    session = Session.open(load(path), target_of(Build(case.toolchain, **options)))
    placed = [Placed(r.layer, r.placement, r.cost, r.causes) for r in analyse(session).layers]
    made = Lowering(session.layers, session.target)
    for item in in_order(placed):
        lower(made, item)
    return [told(step, made.batches) for step in made.steps if not case.of or step.layer in case.of]
