"""The pages: every link leads somewhere, every command in them runs, each page is in the site."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from builders.models import ROOT, SAMPLES

from npuscope.cli.main import main

PAGES = sorted(
    [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", SAMPLES / "README.md"]
)
LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The anchors of headings, as GitHub and mkdocs make them, and those written as HTML."""
    seen: dict[str, int] = {}
    result = set(re.findall(r'<a (?:id|name)="([^"]+)"', text))
    for heading in HEADING.findall(FENCE.sub("", text)):
        words = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")
        count = seen[name] = seen.get(name, -1) + 1
        result.add(f"{name}-{count}" if count else name)
    return result


def dead(page: Path) -> list[str]:
    """Links of a page that lead nowhere."""
    missing = []
    for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (
            anchor and place.suffix == ".md" and anchor not in anchors(place.read_text("utf-8"))
        ):
            missing.append(link)
    return missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert dead(page) == []


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One `two`\n[a](#one-two) [b](#three) [c](gone.md) [d](page.md#one-two) [e](https://x.y)\n"
    )
    assert dead(page) == ["#three", "gone.md"]


def commands() -> list[tuple[str, list[str]]]:
    """Page -> its commands, in their order."""
    listed = []
    for page in sorted((ROOT / "docs" / "guide").glob("*.md")):
        lines = re.findall(r"^\$ npuscope (.+)$", page.read_text("utf-8"), re.MULTILINE)
        listed.append((page.name, lines))
    return listed


@pytest.mark.parametrize(("page", "lines"), [one for one in commands() if one[1]], ids=lambda x: str(x)[:20])
def test_the_commands_of_a_page_run(
    page: str, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(SAMPLES, tmp_path / "sample_models", ignore=shutil.ignore_patterns("*.py", "*.md"))
    monkeypatch.chdir(tmp_path)
    for line in lines:
        expected = {0, 1} if line.startswith("verify") else {0}
        assert main(shlex.split(line)) in expected, line


def test_the_readme_shows_what_the_command_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(SAMPLES, tmp_path / "sample_models", ignore=shutil.ignore_patterns("*.py", "*.md"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    blocks = re.findall(r"```\n\$ npuscope (.+)\n((?:.*\n)+?)```", (ROOT / "README.md").read_text("utf-8"))
    assert blocks
    for command, shown in blocks:
        assert main(shlex.split(command)) == 0
        printed = capsys.readouterr().out
        wanted, documented = (  # figures follow the cost model; words, order and layers do not
            re.sub(r"\d+(?:\.\d+)?(?= (?:ms|%))", "#", text)
            for text in (shown.removeprefix("...\n"), printed)
        )
        assert wanted in documented, command


def test_every_page_is_in_the_site() -> None:
    text = (ROOT / "tools" / "docs" / "mkdocs.yml").read_text("utf-8")
    named = set(re.findall(r"[\w/-]+\.md", text)) - {"commands.md"}
    assert named == {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
