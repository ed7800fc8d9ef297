"""What an edit says of itself holds on the model it brings along, and help and docs follow from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import models
from builders.edit_checks import edited, example, opened

from npuscope.cli.commands.fix import kinds_text
from npuscope.edits import kinds
from npuscope.edits.edit import Exactness
from npuscope.edits.registry import FILES, KINDS
from npuscope.numbers.verify_models import verify
from npuscope.reports.edit_pages import edits_markdown
from npuscope.snapshot import analyse

VERSION = "4.0"
"""All findings that edits answer are said for it."""


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_can_be_made_of_its_example_as_exactly_as_it_says(kind: str, tmp_path: Path) -> None:
    source, edit = example(kind, tmp_path)
    declaration = KINDS[kind].declaration
    session = opened(source, VERSION)
    after = edited(session, edit)
    if edit.layer:
        assert declaration.applies_to(session.layers.by_name["op"].kind)
    if kind == "fix-dimensions":  # the sizes of the two models differ in their words only
        assert after.graph.sizes_fixed and not session.graph.sizes_fixed
        return
    compared = verify(source, after, samples=4)
    if declaration.exactness is Exactness.BIT_EXACT:
        assert compared.bit_exact
    if declaration.exactness is Exactness.ROUNDING:
        assert all(output.max_steps <= 1 for output in compared.outputs)
    assert declaration.because.endswith(".")


@pytest.mark.parametrize("kind", [kind for kind, cls in KINDS.items() if cls.declaration.answers])
def test_what_it_answers_is_no_longer_said_or_the_layer_is_better_placed(kind: str, tmp_path: Path) -> None:
    source, edit = example(kind, tmp_path)
    before = analyse(opened(source, VERSION))
    after = analyse(edited(opened(source, VERSION), edit))
    codes = {finding.code for finding in before.by_name["op"].findings}
    report = after.by_name.get("op")
    left = {finding.code for finding in report.findings} if report is not None else set()
    if codes & set(KINDS[kind].declaration.answers) & left:
        assert report is not None and report.placement.rank < before.by_name["op"].placement.rank


def test_every_file_of_edits_is_registered() -> None:
    folder = Path(kinds.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(FILES)
    assert all(cls.declaration.kind == kind for kind, cls in KINDS.items())


def test_help_and_docs_follow_from_the_declarations() -> None:
    for kind in KINDS:
        assert f"\n  {kind}" in kinds_text()
    assert (models.ROOT / "docs" / "edits.md").read_text("utf-8") == edits_markdown()
