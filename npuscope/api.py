"""What a Python program calls: open, analyse, plan, apply, verify, compare. Everything raises ModelError alone.

`import npuscope` loads none of this; the names are found there when they are first used.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import NoneType
from typing import TYPE_CHECKING

from npuscope.edits.edit import Declared, Edit, Refusal
from npuscope.model.budget import MOST_SECONDS
from npuscope.model.errors import ModelError
from npuscope.model.names import with_article
from npuscope.planning.plan import Plan
from npuscope.services import open as opening
from npuscope.services.builds import BuildOptions
from npuscope.session import Session
from npuscope.snapshot import Snapshot
from npuscope.snapshot import analyse as _analyse

if TYPE_CHECKING:
    from npuscope.neural_art.comparison.values import Comparison
    from npuscope.numbers.verify_models import Verification

__all__ = [
    "ModelError",
    "Plan",
    "Session",
    "Snapshot",
    "analyse",
    "apply",
    "compare",
    "export",
    "open",
    "plan",
    "verify",
]

AnyPath = str | os.PathLike[str]


def open(path: AnyPath, toolchain: str | None = None, profile: str | None = None) -> Session:  # noqa: A001
    """A model, to be judged for a version of ST Edge AI Core (such as '2.1') and clocks ('overdrive' or 'nominal').

    Reads .onnx and .tflite; weights are read when something needs them. Raises ModelError for a file that is not
    a usable model and for a version or profile that is not known.
    """
    from npuscope.machine.machine import target_of

    _check("path", path, (str, os.PathLike), "a path")
    _check("toolchain", toolchain, (str, NoneType), "a version such as '2.1'")
    _check("profile", profile, (str, NoneType), "a name such as 'overdrive'")
    source = opening.open_model(path)
    try:
        target = target_of(BuildOptions(toolchain=toolchain, profile=profile).build())
    except ModelError as error:
        raise _as_arguments(error) from None
    return Session.open(source, target)


def analyse(session: Session) -> Snapshot:
    """Where each layer runs, why, and what it costs.

    1. `.layers` are in graph order: name, placement, findings, cost (None where a shape is not known).
    2. `.summary` has layers by placement, milliseconds of one inference, NPU cycles, bytes of weights and activations.
    3. `.epochs` are what the compiler makes of the layers, in order.
    """
    _check_session("session", session)
    return _analyse(session)


def plan(session: Session, loss: str = "needed", seconds: float = 15.0) -> Plan:
    """The edits that bring layers onto the NPU and save time; `.steps` in the order they are made.

    `loss` is 'exact' (change no number), 'needed' (only where nothing exact helps) or 'any'; `seconds` bounds the
    search, above 0 and up to a day. Raises ModelError for another `loss` or time.
    """
    from dataclasses import replace

    from npuscope.planning.plan import budget_of
    from npuscope.planning.planner import plan as search

    _check_session("session", session)
    _check("seconds", seconds, (int, float), "a number of seconds")
    if not 0 < seconds <= MOST_SECONDS:
        raise ModelError(f"seconds: takes a number above 0 and up to {MOST_SECONDS}, not {seconds}")
    budget = budget_of(str(loss))
    if isinstance(budget, Refusal):
        raise ModelError(str(budget))
    if budget.decibels is not None:
        raise ModelError(f"loss {loss!r}: give exact, needed or any; verify measures decibels")
    return search(session, _analyse(session), replace(budget, seconds=seconds))


def apply(session: Session, edits: Plan | Sequence[Edit], inputs: AnyPath | None = None) -> Session:
    """The session with edits made; the one that was passed in stays as it is.

    `inputs` are samples to measure scales on (.npz, .npy or a folder), by default 8 random ones. Raises ModelError
    where an edit cannot be made.
    """
    from npuscope.services.apply import Calibration, apply_edits

    _check_session("session", session)
    _check("edits", edits, (Plan, list, tuple), "a plan or a list of edits")
    chosen = [step.edit for step in edits.steps] if isinstance(edits, Plan) else list(edits)
    for edit in chosen:
        _check("edits", edit, Declared, "edits of npuscope.edits.kinds")
    result = apply_edits(session, chosen, Calibration(inputs)).session
    if isinstance(result, Refusal):
        raise ModelError(str(result))
    return result


def export(session: Session, path: AnyPath, force: bool = False) -> None:
    """Write the edited model, checked before it gets its name. Raises ModelError; `force` replaces a regular file."""
    from npuscope.services.writing import write_result

    _check_session("session", session)
    _check("path", path, (str, os.PathLike), "a path")
    try:
        write_result(session, path, force)
    except ModelError as error:
        raise _as_arguments(error) from None


def verify(
    before: Session, after: Session, inputs: AnyPath | None = None, samples: int = 8, seed: int = 0
) -> Verification:
    """Run two models on the same inputs and compare their outputs.

    `.bit_exact`, `.sqnr_db_min` (dB at the worst output, None where all are equal) and `.outputs`. Without `inputs`,
    `samples` random ones are drawn from `seed`. Raises ModelError where a model does not run.
    """
    from npuscope.numbers.verify_models import verify as measure

    _check_session("before", before)
    _check_session("after", after)
    for name, number in (("samples", samples), ("seed", seed)):
        _check(name, number, int, "a whole number")
    if seed < 0:
        raise ModelError(f"seed: takes a number of 0 or more, not {seed}")
    return measure(before, after, samples, seed, None if inputs is None else os.fspath(inputs))


def compare(*paths: AnyPath) -> Comparison:
    """What ST's tools printed, held against the prediction where a model is among the files.

    `.disagreements` are the layers placed otherwise than predicted. Raises ModelError where a file cannot be used.
    """
    for path in paths:
        _check("paths", path, (str, os.PathLike), "paths")
    return opening.compare_files(paths)[0]


def _check(name: str, value: object, kinds: type | tuple[type, ...], wanted: str) -> None:
    if not isinstance(value, kinds):
        shown = "None" if value is None else with_article(type(value).__name__)
        raise ModelError(f"{name}: takes {wanted}, not {shown}")


def _check_session(name: str, value: object) -> None:
    _check(name, value, Session, "a session, as npuscope.open returns it")


def _as_arguments(error: ModelError) -> ModelError:
    """What the command line calls options are arguments here."""
    return ModelError(str(error).removeprefix("--").replace("--force", "force=True"))
