"""What a wheel would hold, checked without building one.

An editable install serves whole folders, so a subpackage missing from `packages` works here and is absent from
the wheel.
"""

import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
MOUNTS = SETUPTOOLS["package-dir"]
LINKS = {ROOT.joinpath(*name.split(".")) for name, folder in MOUNTS.items() if name.split(".") != [folder]}
"""For type checkers and editors; text files where a checkout has no symbolic links."""


TOP = frozenset(
    {
        *(
            ".ci",
            ".gitattributes",
            ".github",
            ".gitignore",
            ".pre-commit-config.yaml",
            ".pre-commit-hooks.yaml",
        ),
        *(
            "CHANGELOG.md",
            "CONTRIBUTING.md",
            "LICENSE",
            "Makefile",
            "README.md",
            "action.yml",
            "pyproject.toml",
        ),
        *(
            "benchmarks",
            "docs",
            "npuscope",
            "requirements-dev.txt",
            "sample_models",
            "tests",
            "themes",
            "tools",
        ),
        *("tui", "widgets"),
    }
)


def test_nothing_else_is_kept_at_the_top() -> None:
    """As the files that a command writes into the folder it is called in."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "--full-name"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a checkout")
    assert {line.partition("/")[0] for line in listed.splitlines()} <= TOP


def test_every_package_is_listed() -> None:
    names = {
        ".".join((name, *init.parent.relative_to(ROOT / folder).parts))
        for name, folder in MOUNTS.items()
        for init in (ROOT / folder).rglob("__init__.py")
    }
    assert names == set(SETUPTOOLS["packages"])


def test_every_folder_with_code_is_a_package() -> None:
    folders = {p.parent for folder in MOUNTS.values() for p in (ROOT / folder).rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_every_data_file_is_listed() -> None:
    patterns = SETUPTOOLS["package-data"]["*"]
    stray = [
        path
        for folder in MOUNTS.values()
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
        and path not in LINKS
        and path.suffix not in {".py", ".pyc"}
        and not any(fnmatch(path.name, pattern) for pattern in patterns)
    ]
    assert stray == []


def test_links_of_mounted_folders_are_not_needed() -> None:
    for name, folder in MOUNTS.items():
        link = ROOT.joinpath(*name.split("."))
        if link in LINKS:
            assert link.is_symlink() or link.read_text("utf-8") == f"../{folder}"
