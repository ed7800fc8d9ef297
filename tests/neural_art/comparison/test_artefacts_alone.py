"""`compare` of an artefact without a model: every form says what it holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders.artefacts.listed import LISTED

from npuscope.reports.compare_json import compare_json
from npuscope.reports.compare_markdown import compare_markdown
from npuscope.reports.compare_report import compare_text
from npuscope.services.open import compare_files


@pytest.mark.parametrize("name", LISTED)
def test_an_artefact_alone_is_shown_in_every_form(name: str, tmp_path: Path) -> None:
    path = tmp_path / name.rpartition("/")[2]
    path.write_text(LISTED[name], "utf-8")
    comparison, snapshot = compare_files([path])
    assert snapshot is None
    assert compare_text(comparison).startswith(path.name)
    assert compare_markdown(comparison).startswith("## npuscope compare")
    json.dumps(compare_json(comparison), allow_nan=False)
