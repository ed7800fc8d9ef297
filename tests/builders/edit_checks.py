"""What tests of every edit ask: apply it, check the model it makes, take it back."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path

import onnx
from hypothesis import HealthCheck, settings
from onnx import ModelProto

from builders import models
from builders.longer import suite_or_long
from npuscope.edits.edit import Edit, Exactness, Refusal
from npuscope.edits.registry import KINDS, from_data, to_data
from npuscope.machine.machine import target
from npuscope.model.load import Source
from npuscope.model.serialize import stream, to_model
from npuscope.numbers.verify_regions import verify_local
from npuscope.session import Session
from npuscope.snapshot import LayerReport, analyse

FEW = settings(max_examples=suite_or_long(8, 300), deadline=None, suppress_health_check=list(HealthCheck))


def example(kind: str, folder: Path) -> tuple[Source, Edit]:
    """An edit, and the model its declaration brings along."""
    cls = KINDS[kind]
    fields = dict(cls.declaration.fields)
    if "layer" in {field.name for field in dataclasses.fields(cls)}:
        fields["layer"] = "op"
    edit: Edit = cls(**fields)
    return models.from_text(cls.declaration.example, folder), edit


def opened(source: Source, toolchain: str = "2.1") -> Session:
    return Session.open(source, target(toolchain))


def edited(session: Session, edit: Edit) -> Session:
    """The session after the edit, which passes the checker, is plain data too, and leaves no trace when undone.

    Where it is bit-exact, so are the regions it changes, with a Q behind each.
    """
    before = written(session)
    outcome = session.edit(edit)
    assert isinstance(outcome, Session), outcome
    assert from_data(to_data(edit)) == edit and hash(edit) == hash(from_data(to_data(edit)))
    assert edit.describe() and "\n" not in edit.describe()
    checked(outcome)
    assert written(outcome.undo()) == before
    assert written(outcome.undo().redo()) == written(outcome)
    assert outcome.layers.unattached == session.layers.unattached
    if edit.exactness is Exactness.BIT_EXACT:
        same_regions(session, outcome)
    return outcome


def same_regions(session: Session, edited: Session) -> None:
    """No region that the last edit changes differs, on a sample of what the model computes there or a random one."""
    graph = session.graph
    if all(graph.type(name).dims is not None for name in graph.inputs):
        both = replace(edited, states=(session.states[-1], edited.states[-1]), done=edited.done[-1:])
        for whole_model in (True, False):
            verification = verify_local(both, samples=1, whole_model=whole_model)
            assert all(region.bit_exact for region in verification.regions), verification


def refused(session: Session, edit: Edit) -> str:
    """The sentence of the refusal."""
    outcome = session.edit(edit)
    assert isinstance(outcome, Refusal), f"{edit} was made"
    return str(outcome)


def written(session: Session) -> bytes:
    return b"".join(stream(session.source, session.graph))


def checked(session: Session) -> ModelProto:
    """The edited model, through the checker and strict inference."""
    made = to_model(session.source, session.graph)
    onnx.checker.check_model(made, full_check=True)
    return made


def report(session: Session, layer: str) -> LayerReport:
    """What an analysis says of a layer."""
    return analyse(session).by_name[layer]
