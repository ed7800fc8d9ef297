"""Build the documentation as a site: the pages of docs/, the commands' help as a page, mkdocs. `make docs`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from npuscope.cli.parser import GROUPS, command_parser, module_of, summary_of

ROOT = Path(__file__).resolve().parents[2]


def commands_page() -> str:
    """Each command with its help."""
    lines = ["# Commands", ""]
    for names in GROUPS.values():
        lines += [f"- [{name}](#{name}): {summary_of(module_of(name))}" for name in names]
    for names in GROUPS.values():
        for name in names:
            lines += ["", f"## {name}", "", "```", command_parser(name).format_help().rstrip(), "```"]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Copy, generate, build. Links that lead nowhere are errors."""
    pages = ROOT / "build" / "docs"
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(ROOT / "docs", pages)
    (pages / "commands.md").write_text(commands_page(), "utf-8")
    for page in pages.rglob("*.md"):  # what lies outside docs/ is not part of the site
        text = (
            page.read_text("utf-8")
            .replace("](../sample_models/README.md)", "](index.md)")
            .replace("](../README.md)", "](index.md)")
        )
        page.write_text(text, "utf-8")
    config = ROOT / "tools" / "docs" / "mkdocs.yml"
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-f", str(config)], check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
