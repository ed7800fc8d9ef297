"""Plans: never worse, bit-exact where that does it, whole or in part."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from builders import models
from builders.edit_checks import checked, opened, written
from builders.float_layers import Float, float_model, floats
from builders.layer_chains import ChainSpec, chain, chains, repeated
from builders.longer import suite_or_long
from builders.networks.float_networks import NETWORKS
from builders.weighted_layers import saved
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import npuscope.planning.candidates as sources
from npuscope.edits.apply_all import apply_all
from npuscope.edits.edit import Edit, Exactness, Refusal
from npuscope.edits.kinds.pad_channels import PadOutputs
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.edits.toolkit.merge import merged
from npuscope.edits.toolkit.rewiring import substituted
from npuscope.jobs import Job, StoppedError
from npuscope.model.load import load
from npuscope.npu.verdict import Placement
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.verify_models import verify
from npuscope.planning import planner
from npuscope.planning.accuracy.less_freedom import with_exact_part
from npuscope.planning.accuracy.loss_budget import measured, trimmed_to, without
from npuscope.planning.outcome import stated
from npuscope.planning.plan import Allowed, Budget, Plan, Step, apply, budget_of
from npuscope.planning.planner import plan
from npuscope.planning.proposals import propose_splits
from npuscope.reports.plan_report import APPROXIMATE, plan_text
from npuscope.session import Session
from npuscope.snapshot import Summary, analyse

SOME = settings(max_examples=suite_or_long(6, 250), deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plan")


@pytest.fixture(scope="module")
def denoiser() -> Session:
    return opened(load(models.DENOISER))


@pytest.fixture(scope="module")
def denoiser_plan(denoiser: Session) -> Plan:
    return planner.plan(denoiser, analyse(denoiser), Budget(seconds=600.0))  # however busy the machine is


def planned(session: Session, budget: Budget | None = None) -> tuple[Plan, Session]:
    """A plan, searched for by the first test that asks for it, and the model with it."""
    steps = planner.plan(session, analyse(session), budget)
    changed = apply(session, steps)
    assert isinstance(changed, Session), changed
    return steps, changed


def not_worse(after: Summary, before: Summary, slower: bool = False) -> bool:
    if after.milliseconds > before.milliseconds + 1e-9:
        return slower and (after.off_npu, after.on_cpu) < (before.off_npu, before.on_cpu)
    return after.off_npu <= before.off_npu


def test_the_denoiser_moves_to_the_npu(denoiser: Session, denoiser_plan: Plan) -> None:
    assert (denoiser_plan.before.on_cpu, denoiser_plan.after.on_cpu) == (3, 0)
    assert denoiser_plan.finished and denoiser_plan.exactness is Exactness.BIT_EXACT
    changed = apply(denoiser, denoiser_plan, samples=random_samples(denoiser.source, 4))
    assert isinstance(changed, Session)
    after = analyse(changed)
    assert after.summary == denoiser_plan.after
    assert {r.placement.value for r in after.layers if r.layer.kind in ("Conv", "Gemm", "MatMul")} == {"hw"}
    assert [after.by_name[name].layer.kind for name, _ in denoiser_plan.left] == ["Pad"]
    assert verify(denoiser, changed, samples=2).bit_exact
    model, taken = analyse(denoiser).summary.milliseconds, []
    for step in denoiser_plan.steps:  # on the whole model, where windows say 0.04 ms more
        taken.append(step.edit)
        made = apply_all(denoiser, taken)
        assert isinstance(made, Session)
        then = analyse(made).summary.milliseconds
        assert step.saved_milliseconds == pytest.approx(model - then) and not step.approximate
        model = then
    text = " ".join(f"{step.layer} {step.why}" for step in denoiser_plan.steps if "N201" in step.why)
    assert all(name in text for name in ("Conv2D_23", "Gemm_28", "Conv2D_79"))


def test_where_numbers_may_change_every_layer_moves_and_it_takes_no_longer(
    denoiser: Session, denoiser_plan: Plan
) -> None:
    steps, changed = planned(denoiser, Budget(Allowed.ANY, seconds=600.0))
    assert (steps.after.off_npu, steps.left) == (0, ())
    assert steps.after.milliseconds < denoiser_plan.after.milliseconds
    assert (verify(denoiser, changed, samples=2).sqnr_db_min or 0) > 20


def test_without_a_changed_number_it_leaves_the_cpu_and_progress_ends_at_the_total(denoiser: Session) -> None:
    seen: list[tuple[int, int]] = []
    steps = plan(
        denoiser,
        analyse(denoiser),
        Budget(Allowed.EXACT),
        Job(lambda done, total: seen.append((done, total))),
    )
    assert all(done <= total for done, total in seen)
    assert seen[-1][0] == seen[-1][1] >= len(denoiser.layers.layers) - 4
    changed = apply(denoiser, steps)
    assert isinstance(changed, Session)
    assert steps.after.on_cpu == 0 and steps.exactness is Exactness.BIT_EXACT
    assert verify(denoiser, changed, samples=2).bit_exact


@SOME
@given(data=st.data())
def test_a_plan_never_makes_a_model_worse(data: st.DataObject, folder: Path) -> None:
    spec: ChainSpec = data.draw(chains())
    spec = replace(spec, channels=data.draw(st.sampled_from((5, 131, 257, 263))))
    budget = Budget(data.draw(st.sampled_from(Allowed)), slower=data.draw(st.booleans()))
    session = opened(saved(chain(spec), folder))
    steps, changed = planned(session, budget)
    checked(changed)
    after = analyse(changed).summary
    assert after == steps.after
    assert not_worse(after, steps.before, budget.slower)
    assert sum(step.saved_milliseconds for step in steps.steps) == pytest.approx(
        steps.before.milliseconds - after.milliseconds
    )
    if budget.allowed is Allowed.EXACT:
        assert steps.exactness is Exactness.BIT_EXACT
    if steps.exactness is Exactness.BIT_EXACT:
        assert verify(session, changed, samples=1).bit_exact
    taken = data.draw(st.sets(st.sampled_from(range(len(steps.steps))))) if steps.steps else set()
    part = apply(session, steps, taken)
    assert isinstance(part, Session), part
    assert len(part.done) == len(steps.with_needed(taken)) and set(steps.with_needed(taken)) >= taken


@settings(SOME, max_examples=suite_or_long(5, 250))
@given(spec=floats())
def test_a_float_model_is_not_made_worse_either(spec: Float, folder: Path) -> None:
    session = opened(saved(float_model(spec), folder))
    steps, changed = planned(session)
    assert analyse(changed).summary == steps.after
    assert not_worse(steps.after, steps.before)


def test_what_is_not_done_for_it_would_take_longer_says_so(folder: Path) -> None:
    session = opened(saved(NETWORKS["attention"](), folder), "4.0")
    snapshot = analyse(session)
    default = planner.plan(session, snapshot)
    asked = planner.plan(session, snapshot, Budget(slower=True))
    assert default.after.milliseconds <= default.before.milliseconds < asked.after.milliseconds
    assert asked.after.off_npu < default.after.off_npu
    reasons = [reason for _, reason in default.left if "longer" in reason]
    assert len(reasons) == default.after.off_npu - asked.after.off_npu
    assert all("; quantize would bring it closer to the NPU, but the model" in reason for reason in reasons)


def test_steps_on_layers_that_other_steps_make_say_so(
    denoiser: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "SOURCES", (propose_splits,))
    steps, _ = planned(denoiser)
    made = {step.layer for step in steps.steps}
    assert {"Conv2D_23", "Gemm_28", "Conv2D_79"} <= made
    for index, step in enumerate(steps.steps):
        assert all(needed < index for needed in step.needs)
        if "_part" in step.layer:
            in_model = step.layer.split("_part")[0]
            assert in_model in {steps.steps[needed].layer for needed in step.needs}
    assert all(
        step.exactness is Exactness.APPROXIMATE
        for step in steps.steps
        if not step.needs and step.saved_milliseconds < 0
    )


def test_what_bit_exact_steps_alone_would_be_is_weighed(
    denoiser: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan may be slower than its bit-exact part where time cuts the search short: here its time is made up."""
    monkeypatch.setattr(sources, "SOURCES", (propose_splits,))
    found, _ = planned(denoiser)
    assert found.exactness is Exactness.APPROXIMATE and found.exact is None
    slow = replace(found, after=replace(found.after, milliseconds=9.0))
    weighed = with_exact_part(denoiser, slow)
    assert weighed.steps == slow.steps and weighed.exact is not None
    more = weighed.exact.off_npu - found.after.off_npu
    assert more > 0 and f"leave {more} layer" in weighed.hint
    needless = replace(slow, after=replace(slow.after, hybrid=slow.after.layers))
    dropped = with_exact_part(denoiser, needless)
    assert dropped.exactness is Exactness.BIT_EXACT and dropped.after.milliseconds < 9.0


def test_only_exact_edits_leave_a_layer_that_only_splits_could_bring(
    denoiser: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "SOURCES", (propose_splits,))
    steps, _ = planned(denoiser, Budget(Allowed.EXACT))
    assert steps.exactness is Exactness.BIT_EXACT and steps.after.off_npu == 3
    assert {name for name, _ in steps.left} == {"Conv2D_23", "Gemm_28", "Conv2D_79"}
    assert all("257" in reason for _, reason in steps.left)


def test_a_bound_in_decibels_drops_what_costs_too_much(
    denoiser: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "SOURCES", (propose_splits,))
    full, _ = planned(denoiser)
    samples = random_samples(denoiser.source, 2)
    loss = measured(denoiser, full, range(len(full.steps)), samples)
    assert not isinstance(loss, Refusal) and loss.sqnr_db_min is not None and loss.sqnr_db_min > 20
    assert trimmed_to(denoiser, full, loss.sqnr_db_min - 1, samples) is full
    less = trimmed_to(denoiser, full, loss.sqnr_db_min + 3, samples)
    assert isinstance(less, Plan) and len(less.steps) < len(full.steps)
    kept = measured(denoiser, less, range(len(less.steps)), samples)
    assert not isinstance(kept, Refusal)
    assert kept.sqnr_db_min is None or kept.sqnr_db_min >= loss.sqnr_db_min + 3
    changed = apply(denoiser, less)
    assert isinstance(changed, Session) and analyse(changed).summary == less.after
    none = trimmed_to(denoiser, full, 1e9, samples)
    assert isinstance(none, Plan) and none.exactness is Exactness.BIT_EXACT


def test_samples_give_the_splits_of_a_plan_their_scales(
    denoiser: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "SOURCES", (propose_splits,))
    steps, bare = planned(denoiser)
    scaled = apply(denoiser, steps, samples=random_samples(denoiser.source, 2))
    assert isinstance(scaled, Session)
    pairs = list(zip(bare.done, scaled.done, strict=True))
    assert all(isinstance(b, SplitInput) == (a != b) for a, b in pairs)
    ranges = [(a, b) for a, b in pairs if isinstance(b, SplitInput)]
    assert ranges and all(len(b.scales) == 2 * len(b.sizes) - 2 for _, b in ranges)


def test_steps_taken_bring_those_they_need() -> None:
    grouped = plan_of({0: (), 1: (0,), 2: (), 3: (1,)})
    assert grouped.with_needed({3}) == (0, 1, 3)
    assert grouped.with_needed({2}) == (2,)
    assert without(grouped, {0}) == (2,)


def test_steps_too_many_to_state_one_by_one_add_up_too(denoiser: Session, denoiser_plan: Plan) -> None:
    changed, before = apply(denoiser, denoiser_plan), analyse(denoiser)
    assert isinstance(changed, Session)
    total = denoiser_plan.before.milliseconds - denoiser_plan.after.milliseconds
    most = 2 * len(before.layers)
    few = stated(denoiser, before, denoiser_plan.steps, analyse(changed), most)
    exact = [step.saved_milliseconds for step in denoiser_plan.steps]
    assert all(step.approximate for step in few)
    savings = [step.saved_milliseconds for step in few]
    assert sum(savings) == pytest.approx(total) and sum(savings[:2]) == pytest.approx(sum(exact[:2]))
    words = plan_text(replace(denoiser_plan, steps=few))
    assert APPROXIMATE in words and f"~{-savings[0]:+.3f}" in words


def test_what_may_do_more_ends_no_slower_however_little_time_there_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that each look at it moves on; splits of 263 channels use up the looks there are."""
    between = ("Transpose", "LeakyRelu")
    spec = ChainSpec(1, 263, 6, 4, 3, between, "Reshape MatMul", 5, per_channel=True, opset=17, seed=90)
    session = opened(saved(chain(spec), folder))
    for seconds in (3, 34):
        times, totals = [], []
        for allowed in Allowed:
            clock, told = itertools.count(), list[tuple[int, int]]()
            monkeypatch.setattr(planner, "monotonic", clock.__next__)
            job = Job(lambda done, total, told=told: told.append((done, total)))
            found = plan(session, analyse(session), Budget(allowed, seconds=seconds), job)
            times.append(found.after.milliseconds)
            totals.append(told[-1][1])
            assert next(clock) < seconds + 10, "one budget for all searches"
            assert told == sorted(told) and told[-1][0] == told[-1][1], "and one progress"
        exact, needed, anything = times
        assert anything <= needed <= exact
    assert totals[0] < totals[2], "more than one search"


def plan_of(needs: dict[int, tuple[int, ...]]) -> Plan:
    """A plan of which only the dependencies count."""
    summary = analyse(opened(load(models.DENOISER))).summary
    step = Step(SplitOutput("a", (1, 1)), "a", Exactness.BIT_EXACT, (Placement.HW,) * 2, (1, 1), 0.0, "")
    return Plan(tuple(replace(step, needs=needs[i]) for i in sorted(needs)), summary, summary)


def test_it_stops_when_told_to_and_when_time_is_up(denoiser: Session) -> None:
    with pytest.raises(StoppedError):
        plan(denoiser, analyse(denoiser), job=Job(should_stop=lambda: True))
    steps = plan(denoiser, analyse(denoiser), Budget(seconds=0))
    assert not steps.finished and steps.steps == () and steps.after == steps.before


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("exact", Budget(Allowed.EXACT)),
        ("any", Budget(Allowed.ANY)),
        ("30", Budget(Allowed.NEEDED, 30.0)),
        ("nan", None),
        ("-3", None),
        ("much", None),
    ],
)
def test_budgets_as_typed(text: str, budget: Budget | None) -> None:
    parsed = budget_of(text)
    assert isinstance(parsed, Refusal) if budget is None else parsed == budget


def split_edits(session: Session) -> list[Edit]:
    edits: list[Edit] = []
    for layer in session.layers.layers:
        if layer.weight is not None and layer.weight.constant is not None:
            edits.append(SplitOutput(layer.name, (layer.weight.constant.shape[0] - 3, 3)))
    return edits


def test_changes_made_at_once_are_those_made_in_a_row(denoiser: Session) -> None:
    edits = split_edits(denoiser)
    patches = []
    for edit in edits:
        patch = edit.apply(denoiser.graph, denoiser.layers)
        assert not isinstance(patch, Refusal)
        patches.append(patch)
    at_once = merged(denoiser.graph, patches)
    in_a_row = apply_all(denoiser, edits)
    assert at_once is not None and isinstance(in_a_row, Session)
    assert [node.name for node in at_once.nodes] == [node.name for node in in_a_row.graph.nodes]
    assert at_once.constants.keys() == in_a_row.graph.constants.keys()
    assert merged(denoiser.graph, [patches[0], patches[0]]) is None


def test_constants_that_two_changes_call_the_same_stay_apart(tmp_path: Path) -> None:
    session = repeated(tmp_path, (3, 3, 3, 3))
    patches = []
    for name in ("block0/Conv", "block3/Conv"):
        patch = PadOutputs(name, 8).apply(session.graph, session.layers)
        assert not isinstance(patch, Refusal)
        patch_constants = (patch.constants[0], *patch.constants[1:])
        renamed = {c.name: "same" if c is patch_constants[0] else c.name for c in patch_constants}
        patches.append(
            replace(
                patch,
                insert=tuple(substituted(node, renamed) for node in patch.insert),
                replace={
                    key: tuple(substituted(n, renamed) for n in (v if isinstance(v, tuple) else (v,)))
                    for key, v in patch.replace.items()
                },
                constants=tuple(replace(c, name=renamed[c.name]) for c in patch_constants),
            )
        )
    graph = merged(session.graph, patches)
    assert graph is not None and {"same", "same_2"} <= graph.constants.keys()
    assert all(graph.consumers.get(name) for name in ("same", "same_2"))


def test_many_edits_give_what_one_after_the_other_gives(denoiser: Session) -> None:
    edits = [
        *split_edits(denoiser),
        SplitOutput("Gemm_30_part0", (1000, 21)),
        SplitInput("Gemm_53_part1", (200, 56)),
    ]
    session = denoiser
    for edit in edits:
        changed = session.edit(edit)
        assert isinstance(changed, Session)
        session = changed
    together = apply_all(denoiser, edits)
    assert isinstance(together, Session) and written(together) == written(session)
    assert together.done == session.done and len(together.states) == len(session.states)
    assert isinstance(apply_all(denoiser, [*edits, SplitOutput("gone", (1, 1))]), Refusal)
