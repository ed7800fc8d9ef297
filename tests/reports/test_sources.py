"""Every section of the notes that code or documentation cites has its line in docs/sources.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from builders.models import ROOT

from npuscope.cli.main import main

SECTION = r"(?:[A-Z]?\d+(?:\.\d+)*|[A-Z]\b)"
CITED = re.compile(
    rf"\b(FACTS|LESSONS|FORMATS) ({SECTION}(?:(?:, | and )(?!FACTS|LESSONS|FORMATS){SECTION})*)"
)
LINE = re.compile(r"^\| ((?:FACTS|LESSONS|FORMATS) \S+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def cited() -> dict[str, Path]:
    """Section -> a file that cites it."""
    places = [
        *ROOT.glob("*.md"),
        *(
            path
            for folder in ("npuscope", "tui", "widgets", "themes", "docs", "sample_models")
            for path in (ROOT / folder).rglob("*")
            if path.suffix in (".py", ".toml", ".md")
        ),
    ]
    return {
        f"{notes} {section}": path
        for path in places
        if path.name != "sources.md"
        for notes, sections in CITED.findall(path.read_text("utf-8"))
        for section in re.findall(SECTION, sections)
    }


def test_every_cited_section_has_its_line() -> None:
    lines = [section for section, _, _ in LINE.findall((ROOT / "docs" / "sources.md").read_text("utf-8"))]
    citations = cited()
    assert {"FACTS 2.5", "LESSONS C9", "LESSONS C7", "FACTS 7.2"} <= citations.keys()
    assert sorted(lines) == sorted(set(lines))
    assert not {section: path for section, path in citations.items() if section not in lines}


def test_a_rule_points_to_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "N102"]) == 0
    assert "FACTS and LESSONS: see docs/sources.md" in " ".join(capsys.readouterr().out.split())
    assert main(["rules", "--markdown"]) == 0
    assert ". FACTS: see [sources.md](sources.md)" in capsys.readouterr().out
