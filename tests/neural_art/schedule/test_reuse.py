"""What one analysis leaves for the next one changes nothing in it: any network, any edits, made and undone."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from builders.longer import suite_or_long
from builders.networks.drawn_networks import networks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.models import qdq_chain
from npuscope.edits.edit import Edit
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.machine.build import Build
from npuscope.machine.catalogue import TOOLCHAINS
from npuscope.machine.machine import target_of
from npuscope.model.load import load
from npuscope.model.serialize import to_model
from npuscope.neural_art.lowering.dispatch import lower
from npuscope.neural_art.lowering.journal import lowered
from npuscope.neural_art.lowering.lower import Placed, in_order
from npuscope.neural_art.lowering.steps import Step
from npuscope.neural_art.schedule.epochs import steps
from npuscope.neural_art.schedule.scheduler import Packing
from npuscope.planning.history import remade
from npuscope.services.analyses import Analyses
from npuscope.services.fix_hints import fix_hints
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse
from npuscope.totals import totals


def edits(session: Session, snapshot: Snapshot) -> list[Edit]:
    """Splits of all layers that have weights, and what is proposed for the others."""
    reused: list[Edit] = []
    for report in snapshot.layers:
        dims = report.layer.output.dims if report.layer.output is not None else None
        if report.layer.weight is not None and dims is not None and len(dims) > 1:
            channels = dims[1] if report.layer.kind == "Conv" else dims[-1]
            reused += (
                [SplitOutput(report.name, (channels // 2, channels - channels // 2))] if channels > 1 else []
            )
        elif report.findings:
            reused += [preview.edit for preview in fix_hints(session, snapshot, report.name)[:1]]
    return reused


def alike(one: Snapshot, other: Snapshot) -> None:
    assert one.epochs == other.epochs
    assert one.memory == other.memory
    assert one.summary == other.summary
    for kept, anew in zip(one.layers, other.layers, strict=True):
        assert kept.layer is anew.layer
        assert (kept.placement, kept.causes, kept.findings) == (anew.placement, anew.causes, anew.findings)
        assert (kept.cost, kept.epoch, kept.line) == (anew.cost, anew.epoch, anew.line)


def packings(snapshot: Snapshot) -> list[list[list[int]]]:
    """Of all orders, whichever is the fastest."""
    assert snapshot.reuse is not None and snapshot.reuse.graph is not None
    return snapshot.reuse.graph.packed


@settings(max_examples=suite_or_long(8, 375), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.sampled_from(TOOLCHAINS), st.data())
def test_an_analysis_that_reuses_equals_one_that_does_not(
    tmp_path_factory: pytest.TempPathFactory, proto: onnx.ModelProto, toolchain: str, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "reused.onnx"
    for place, node in enumerate(proto.graph.node):
        node.name = f"n{place}"  # else it has another one in the file that is written
    onnx.save(proto, path)
    session = Session.open(load(path), target_of(Build(toolchain=toolchain)))
    snapshot = analyse(session, keep=True)
    analyses = Analyses()
    analyses.keep(session, snapshot)
    for _ in range(4):
        possible = edits(session, snapshot)
        if session.undone and data.draw(st.booleans()):
            session = session.redo()
        elif session.done and (not possible or data.draw(st.integers(0, 2)) == 0):
            session = session.undo()
        elif len(session.done) > 1 and data.draw(st.booleans()):
            others = data.draw(st.permutations(session.done))[data.draw(st.integers(0, 1)) :]
            again = remade(session, others, [edit for edit in session.done if edit not in others])
            if not isinstance(again, Session):
                continue
            session = again
        elif possible:
            edited = session.edit(data.draw(st.sampled_from(possible)))
            if not isinstance(edited, Session):
                continue
            session = edited
        known, previous = analyses.known(session, snapshot), snapshot
        trial = totals(session, snapshot)
        snapshot = analyse(session, snapshot)
        assert trial == (snapshot.summary.milliseconds, snapshot.summary.off_npu, snapshot.summary.on_cpu)
        assert snapshot.reuse is not None
        alike(snapshot, anew := analyse(session, keep=True))
        assert packings(snapshot) == packings(anew)
        if known is not None:
            alike(known, snapshot)
            assert (known.changed, known.before) == (snapshot.changed, snapshot.before)
            snapshot = known if data.draw(st.booleans()) else snapshot
        else:
            assert previous.graph is not session.graph
        analyses.keep(session, snapshot)
    written = path.with_name("reused_and_written.onnx")
    onnx.save(to_model(session.source, session.graph), written)
    figures(snapshot, analyse(Session.open(load(written), session.target)))


def figures(kept: Snapshot, opened: Snapshot) -> None:
    """What is known of a model after its edits is what an analysis of the file that is written says."""
    assert opened.epochs == kept.epochs
    assert opened.memory == kept.memory
    assert opened.summary == kept.summary
    for one, other in zip(kept.layers, opened.layers, strict=True):
        assert (one.name, one.placement, one.cost, one.epoch, one.line) == (
            other.name, other.placement, other.cost, other.epoch, other.line,
        )  # fmt: skip
        assert one.causes == other.causes
        assert [f.code for f in one.findings] == [f.code for f in other.findings]


def fields(made: list[Step]) -> list[tuple[object, ...]]:
    return [tuple(getattr(step, name) for name in Step.__slots__) for step in made]


@settings(max_examples=suite_or_long(10, 500), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.sampled_from(TOOLCHAINS))
def test_a_layer_that_nothing_changed_for_is_not_lowered_again(
    tmp_path_factory: pytest.TempPathFactory, proto: onnx.ModelProto, toolchain: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "journal.onnx"
    onnx.save(proto, path)
    session = Session.open(load(path), target_of(Build(toolchain=toolchain)))
    reports = analyse(session).layers
    placed = in_order([Placed(r.layer, r.placement, r.cost, r.causes) for r in reports])
    first, journal = lowered(placed, session.layers, session.target, lower, None)
    assert fields(first) == fields(steps(placed, session.layers, session.target))
    again, _ = lowered(placed, session.layers, session.target, lower, journal)
    assert fields(again) == fields(first)
    taken_over = {id(step) for entry in journal.entries.values() for step in entry.steps}
    assert [id(step) in taken_over for step in again] == [id(step) in taken_over for step in first]
    assert [one is other for one, other in zip(again, first, strict=True) if id(other) in taken_over].count(
        False
    ) == 0


def test_what_lies_before_a_split_is_packed_in_no_order_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing forks in the chain: one order was packed. The split forks, so that there are several."""
    session = Session.open(load(qdq_chain(tmp_path / "chain.onnx", 90)), target_of(Build()))
    before = analyse(session, keep=True)
    assert len(before.reuse.graph.runs) == 1  # type: ignore[union-attr]
    tried: list[int] = []
    epoch = Packing.epoch
    monkeypatch.setattr(Packing, "epoch", lambda packing: tried.append(len(packing.passed)) or epoch(packing))
    last = [report.name for report in before.layers if report.layer.kind == "Conv"][-2]
    edited = session.edit(SplitOutput(last, (8, 8)))
    assert isinstance(edited, Session)
    after = analyse(edited, before)
    assert len(after.reuse.graph.runs) > 1  # type: ignore[union-attr]
    assert min(tried) > len(after.reuse.graph.steps) / 2  # type: ignore[union-attr]
    assert packings(after) == packings(analyse(edited, keep=True))
