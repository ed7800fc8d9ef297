"""What may import what. The table is the architecture; read it first."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MOUNTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"]

CORE = {
    "npuscope.model",
    "npuscope.target",
    "npuscope.placement",
    "npuscope.cost",
    "npuscope.edits",
    "npuscope.vendor",
    "npuscope.comparison",
    "npuscope.export",
    "npuscope.session",
    "npuscope.snapshot",
}

# A prediction never looks at what the tools made of the model.
HELD_AGAINST = {"npuscope.vendor", "npuscope.comparison"}

# package or module -> the npuscope packages it may import besides itself
MAY_IMPORT = {
    "npuscope.model": set[str](),
    "npuscope.target": {"npuscope.model"},
    # Placement asks the tiling whether one exists; cost asks where a layer runs.
    "npuscope.placement": {"npuscope.model", "npuscope.target", "npuscope.cost"},
    "npuscope.cost": {"npuscope.model", "npuscope.target", "npuscope.placement"},
    "npuscope.edits": CORE - {"npuscope.export", *HELD_AGAINST} | {"npuscope.export.onnx_file"},
    "npuscope.vendor": {"npuscope.model", "npuscope.target"},
    "npuscope.comparison": CORE - {"npuscope.export", "npuscope.edits"},
    "npuscope.export": CORE,
    "npuscope.session": CORE - {"npuscope.export", "npuscope.snapshot", *HELD_AGAINST},
    "npuscope.snapshot": CORE - {"npuscope.export", *HELD_AGAINST},
    "npuscope.themes": set[str](),
    "npuscope.widgets": CORE - {"npuscope.export"},
    "npuscope.tui": CORE | {"npuscope.widgets", "npuscope.themes", "npuscope.export"},
    "npuscope.cli": CORE | {"npuscope.tui", "npuscope.commands"},
    "npuscope.commands": CORE,
}
HEADLESS = CORE
UI_LIBRARIES = {"textual", "rich"}
# library -> the only files that may import it, and then inside a function
DEFERRED = {"onnxruntime": "npuscope/edits/", "pydot": "npuscope/export/"}
FOREIGN_TO_WIDGETS = {"onnx", "numpy", "onnxruntime", "google"}


def files_of(package: str) -> list[Path]:
    if package in MOUNTS:
        return list((ROOT / MOUNTS[package]).rglob("*.py"))
    folder = ROOT.joinpath(*package.split("."))
    return list(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield node.module or ""


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_imports_follow_the_table(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    for path in files_of(package):
        for name in imports(ast.parse(path.read_text())):
            assert name.split(".")[0] not in set(MOUNTS.values()) - {"npuscope"}, f"{path}: short name {name}"
            if name.split(".")[0] == "npuscope":
                known = name == "npuscope" or any(name == p or name.startswith(p + ".") for p in allowed)
                assert known, f"{path}: {name}"
            if package in HEADLESS:
                assert name.split(".")[0] not in UI_LIBRARIES, f"{path}: {name}"
            if package == "npuscope.widgets":
                assert name.split(".")[0] not in FOREIGN_TO_WIDGETS, f"{path}: {name}"


def test_every_package_is_in_the_table() -> None:
    found = {f"npuscope.{p.stem}" for p in (ROOT / "npuscope").iterdir() if p.is_dir() or p.suffix == ".py"}
    assert found - {"npuscope.__init__", "npuscope.__pycache__"} <= set(MAY_IMPORT)


@pytest.mark.parametrize("library", sorted(DEFERRED))
def test_heavy_libraries_are_imported_inside_functions(library: str) -> None:
    for folder in MOUNTS.values():
        for path in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(path.read_text())
            place = path.relative_to(ROOT).as_posix()
            if any(name.split(".")[0] == library for name in imports(tree)):
                assert place.startswith(DEFERRED[library]), f"{place} imports {library}"
            for node in tree.body:
                if isinstance(node, ast.Import | ast.ImportFrom):
                    assert all(name.split(".")[0] != library for name in imports(node)), (
                        f"{place}: {library} at import"
                    )


def loaded_after(code: str) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(run.stdout.split())


def test_the_command_line_itself_loads_nothing_heavy() -> None:
    assert not loaded_after("import npuscope.cli") & {
        "textual",
        "rich",
        "onnx",
        "numpy",
        "onnxruntime",
        "pydot",
    }


def test_check_loads_no_ui_and_no_runtime() -> None:
    code = "import io, sys; from npuscope import cli; out = sys.stdout; sys.stdout = io.StringIO()\n"
    code += (
        "assert cli.main(['check', 'sample_models/denoiser_lstm_int8.onnx', '--json']) == 0\nsys.stdout = out"
    )
    assert not loaded_after(code) & {"textual", "rich", "onnxruntime", "pydot"}
