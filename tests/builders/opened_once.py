"""The explorer opens the same few models hundreds of times: each is read, folded and judged once in a process.

Who opens it gets a source of its own, with the file it named, around the same graph; nothing of a graph, its layers or an
analysis is ever changed. Models with notes, with weights outside the file and from two files are opened each time.
"""

from __future__ import annotations

import hashlib
from copy import copy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from onnx import TensorProto

from npuscope.files.temporary import sweep
from npuscope.machine.machine import Target
from npuscope.model.graph import Graph
from npuscope.model.load import Source
from npuscope.model.tensors import ModelFile, Stamp
from npuscope.services.open import AnyPath, companion
from npuscope.session import Session, State
from npuscope.snapshot import Snapshot
from npuscope.tui.controllers import opener

LARGEST = 4 << 20
"""Bytes of a file that is looked at."""

_sources: dict[tuple[str, str], Source] = {}
"""By the suffix and the hash of the file."""
_states: dict[int, State] = {}
_snapshots: dict[tuple[int, Target], Snapshot] = {}
"""By the graph, which a source above keeps."""
_open_model, _analyse = opener.open_model, opener.analyse


def _key(path: AnyPath) -> tuple[str, str] | None:
    place = Path(path)
    try:
        if not place.is_file() or place.stat().st_size > LARGEST or companion(path) is not None:
            return None
        return place.suffix, hashlib.sha256(place.read_bytes()).hexdigest()
    except OSError:
        return None


def open_model(path: AnyPath, quantization: AnyPath | None = None) -> Source:
    """As `npuscope.services.open.open_model`."""
    key = _key(path) if quantization is None else None
    if key is not None and key in _sources:
        sweep(Path(path).parent)
        place = Path(path)
        return replace(_sources[key], path=place, file=ModelFile(place, Stamp.of(place.stat())))
    source = _open_model(path, quantization)
    inside = all(one.data_location != TensorProto.EXTERNAL for one in source.proto.graph.initializer)
    if key is not None and key[1] == source.digest and inside and not source.notes and not source.spans:
        _sources[key] = source
        _states[id(source.graph)] = State(source.graph)
    return source


def _known(graph: Graph) -> State | None:
    state = _states.get(id(graph))
    return state if state is not None and state.graph is graph else None


def open_session(source: Source, judged_for: Target) -> Session:
    """As `Session.open`."""
    state = _known(source.graph)
    return Session.open(source, judged_for) if state is None else Session(source, judged_for, (state,))


def analyse(session: Session, previous: Snapshot | None = None, keep: bool = False) -> Snapshot:
    """As `npuscope.snapshot.analyse`."""
    if previous is not None or not keep or session.done or _known(session.graph) is None:
        return _analyse(session, previous, keep)
    key = id(session.graph), session.target
    if key not in _snapshots:
        _snapshots[key] = _analyse(session, previous, keep)
    return copy(_snapshots[key])  # what an application finds out about it is its own


def use(patch: pytest.MonkeyPatch) -> None:
    """The opener gets these from now on."""
    patch.setattr(opener, "open_model", open_model)
    patch.setattr(opener, "analyse", analyse)
    patch.setattr(opener, "Session", SimpleNamespace(open=open_session))
