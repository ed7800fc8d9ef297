"""Every time and every count of cycles in what commands print is one of the ledger's: nothing is computed beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from builders import computed_once, models
from builders.known_figures import FIGURE, Known
from builders.seen_figures import agrees, opened

from npuscope.machine.variants import with_epoch_controller
from npuscope.model.brief import Names
from npuscope.neural_art.comparison.compare import compare
from npuscope.planning.channels import channel_table, shape_of
from npuscope.planning.history import steps
from npuscope.planning.plan import Plan, apply
from npuscope.reports.change_report import change_words
from npuscope.reports.check.text import Rows, check_text
from npuscope.reports.dot import LABEL_WIDTH, dot_text
from npuscope.reports.html.page import check_html
from npuscope.reports.plan_report import plan_markdown, plan_text
from npuscope.reports.several.channels_report import channels_text
from npuscope.reports.several.diff_report import diff_text
from npuscope.reports.stedgeai_report import stedgeai_text
from npuscope.reports.tables import check_markdown
from npuscope.services.builds import BuildOptions
from npuscope.services.diff import difference
from npuscope.services.stedgeai.options import choose
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse
from npuscope.widgets.lists.agreement_rows import about_layer
from npuscope.widgets.text.spans import plain

DENOISER = models.DENOISER.stem
MODELS = (DENOISER, "attention_block_int8", "tcn_calculator", "denoiser_lstm_float")


@pytest.fixture(scope="module")
def planned() -> tuple[Session, Snapshot, Plan]:
    """The denoiser with its plan made, and the plan."""
    session, snapshot = opened(DENOISER)
    plan = computed_once.plan(session, snapshot)
    changed = apply(session, plan)
    assert isinstance(changed, Session)
    return changed, analyse(changed, snapshot), plan


def texts(session: Session, snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """What is printed of one model."""
    yield "check", check_text(session, snapshot, 160, Rows.ALL)
    yield "markdown", check_markdown(session, snapshot)
    yield "dot", dot_text(session, snapshot).replace("\\n", "\n")
    yield "html", re.sub(r"<script.*?</script>|<[^>]*>", " ", check_html(session, snapshot), flags=re.DOTALL)


@pytest.mark.parametrize("model", MODELS)
def test_no_text_of_a_model_has_a_figure_of_its_own(model: str) -> None:
    session, snapshot = opened(model)
    known = Known()
    known.add_model(snapshot)
    known.add_shares(snapshot)
    for name, text in texts(session, snapshot):
        assert list(known.strange(text)) == [], name
        assert FIGURE.search(text) or name == "dot", name


def test_nor_has_a_plan_what_it_makes_or_the_history_of_it(planned: tuple[Session, Snapshot, Plan]) -> None:
    changed, after, plan = planned
    session, before = opened(DENOISER)
    known = Known()
    known.add_model(before)
    known.add_model(after)
    known.add_models(before, after)
    known.add_plan(plan)
    for text in (
        plan_text(plan),
        plan_markdown(plan, "plan"),
        diff_text(session, changed, difference(before, after), 160),
        change_words(changed, before, after),
    ):
        assert list(known.strange(text)) == []
        assert FIGURE.search(text)
    made = list(steps(changed))
    assert [step.edit for step in made] == [step.edit for step in plan.steps]
    for step, stated in zip(made, plan.steps, strict=True):
        assert step.milliseconds == pytest.approx(-stated.saved_milliseconds)
        lines = [line for line in plan_text(plan).splitlines() if stated.edit.describe() in line]
        assert agrees(re.findall(r"-(\d+\.\d+)", lines[0])[0], stated.saved_milliseconds)


@pytest.mark.parametrize("model", MODELS[:2])
def test_boxes_and_agreement_show_the_figures_of_their_layer(model: str) -> None:
    session, snapshot = opened(model)
    names = Names(report.name for report in snapshot.layers)
    boxes = dict(
        re.findall(r'label="([^"\\]+)\\n(?:[^"\\]+\\n)+?([\d ]+) cycles"', dot_text(session, snapshot))
    )
    assert boxes == {
        names.fit(report.name, LABEL_WIDTH): f"{report.line.cycles:,}".replace(",", " ")
        for report in snapshot.layers
        if report.line.cycles
    }
    for layer in compare(snapshot, ()).layers:
        line, known = snapshot.by_name[layer.name].line, Known()
        known.add_time(line.milliseconds, 0.0)
        known.cycles += [line.cycles or 0, line.compute_cycles or 0]
        assert list(known.strange("\n".join(map(plain, about_layer(layer, 100))))) == []


def test_the_compilers_options_are_priced_as_the_model_for_them() -> None:
    session, _ = opened(DENOISER)
    made = choose(session, BuildOptions())
    known = Known()
    known.add_model(made.snapshot)
    known.add_model(analyse(session.with_target(with_epoch_controller(made.target, False))))
    assert list(known.strange(stedgeai_text(made, ["stedgeai"], ()))) == []


def test_a_count_of_channels_is_priced_as_its_layer_alone() -> None:
    """The row of the layer's own count has the price that the ledger starts from."""
    session, snapshot = opened(DENOISER)
    report = snapshot.by_name["Gemm_30"]
    shape = shape_of(report.layer, True)
    assert shape is not None and report.cost is not None
    known = Known([report.cost.milliseconds], [report.line.cycles or 0, report.line.compute_cycles or 0])
    text = channels_text(channel_table(shape, [256], session.target), everything=True)
    assert list(known.strange(text)) == [] and re.search(r"256 .* 0\.6\d\d", text), text
