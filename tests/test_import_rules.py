"""What may import what. The order of rooms is the architecture; read it first."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MOUNTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"]

# From the ground floor up: a room may import what stands above it in this list, never what stands below.
# A name is a package, or a single module where a package has modules on two floors.
ROOMS: dict[str, str] = {
    "npuscope.record": "how values that nobody changes are declared",
    "npuscope.places": "what lies at a path",
    "npuscope.garbage": "when Python looks for garbage",
    "npuscope.jobs": "how far a computation is, and who may stop it",
    "npuscope.model.errors": "the error for input that cannot be used",
    "npuscope.tflite": "what a TFLite file says, as an ONNX model",
    "npuscope.model": "what a file says; knows nothing of hardware",
    "npuscope.machine": "the hardware as data; sizes tensors of the model",
    "npuscope.npu": "the words of a verdict and a cost, which every NPU needs",
    "npuscope.neural_art.frontend": "the formats the front end gives tensors",
    "npuscope.neural_art.mapping": "what a layer asks of the hardware, before anyone judges it",
    "npuscope.neural_art.kernels": "which kernel runs a layer, and why",
    "npuscope.neural_art.rules": "the causes put into words, and advice",
    "npuscope.neural_art.judge": "runs the rules",
    "npuscope.neural_art.notes": "what holds for a model as a whole",
    "npuscope.neural_art.price": "a price asks for the tiling and where a layer runs",
    "npuscope.neural_art.dependencies": "what verdicts and prices rest on",
    "npuscope.neural_art.vicinity": "how far the rules look, and what an edit changed of it",
    "npuscope.neural_art.lowering": "steps from placed layers",
    "npuscope.neural_art.schedule": "epochs from steps, with their price",
    "npuscope.neural_art.trial": "what an edit makes of a schedule",
    "npuscope.neural_art.artefacts": "what ST's tools wrote; a prediction never looks at it",
    "npuscope.edits.edit": "what an edit is",
    "npuscope.edits.toolkit": "what edits are built of",
    "npuscope.edits.kinds": "the edits",
    "npuscope.edits": "all kinds in one registry",
    "npuscope.session": "a model with its edits",
    "npuscope.edits.apply_all": "many edits of a session in a row",
    "npuscope.snapshot": "a session, judged and priced",
    "npuscope.totals": "a trial of an edit, by its figures",
    "npuscope.neural_art.comparison": "a snapshot held against artefacts",
    "npuscope.numbers": "what a session computes",
    "npuscope.files": "sessions and edits, kept and written",
    "npuscope.planning": "trial edits, judged, priced and measured",
    "npuscope.services": "what both faces do",
    "npuscope.api": "what a Python program calls",
    "npuscope.reports": "everything, told",
    "npuscope.themes": "colours",
    "npuscope.widgets": "values, shown",
    "npuscope.tui": "the explorer",
    "npuscope.cli": "the command line; opens the explorer too",
}
FLOOR = {name: floor for floor, name in enumerate(ROOMS)}

# A prediction never looks at what the tools made of the model: only these may, each for the reason it gives.
OUTPUT_OF_TOOLS = ("npuscope.neural_art.artefacts", "npuscope.neural_art.comparison")
MAY_LOOK_AT_IT: dict[str, str] = {
    "npuscope.neural_art.artefacts": "reads it",
    "npuscope.neural_art.comparison": "compares a prediction with it",
    "npuscope.services": "opens it beside a model, takes build options from it, runs the compiler",
    "npuscope.api": "`compare`",
    "npuscope.reports": "prints a comparison",
    "npuscope.widgets": "shows a comparison",
    "npuscope.tui": "opens it and its comparison",
    "npuscope.cli": "`compare`, `--as-built`, `stedgeai --run`",
}

UI = {"npuscope.themes", "npuscope.widgets", "npuscope.tui"}
UI_LIBRARIES = {"textual", "rich"}
# library -> the only folder whose files may import it, and then inside a function
DEFERRED = {"onnxruntime": "npuscope/numbers/", "pydot": "npuscope/reports/"}
FOREIGN_TO_WIDGETS = {"onnx", "numpy", "onnxruntime", "google"}
ROOTS = {"npuscope", "npuscope.__main__"}


@cache
def modules() -> tuple[tuple[str, Path], ...]:
    """Every module of the package, under the name it is imported by."""
    return tuple(_modules())


def _modules() -> Iterator[tuple[str, Path]]:
    for package, folder in MOUNTS.items():
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            yield ".".join((package, *parts)).removesuffix(".__init__"), path


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def imported(path: Path) -> tuple[str, ...]:
    """What a file imports, at the top and inside functions."""
    return tuple(imports(parsed(path)))


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield node.module or ""


@cache
def room(module: str) -> str:
    """The innermost room that holds a module."""
    return max((name for name in ROOMS if f"{module}.".startswith(f"{name}.")), key=len, default=module)


def test_imports_point_one_way() -> None:
    upward = [
        f"{module} imports {name}"
        for module, path in modules()
        for name in imported(path)
        if name.startswith("npuscope.")
        and room(module) in FLOOR
        and FLOOR.get(room(name), -1) > FLOOR[room(module)]
    ]
    assert upward == []


def test_every_module_has_a_room() -> None:
    packages = {"npuscope.neural_art", "npuscope.edits"}  # their own files say only what the rooms within are
    homeless = {m for m, _ in modules() if room(m) not in ROOMS} - ROOTS - packages
    assert homeless == set()


def test_no_room_is_empty() -> None:
    inhabited = {room(module) for module, _ in modules()}
    assert set(ROOMS) - inhabited == set()


def test_names_are_those_of_the_package() -> None:
    short = set(MOUNTS.values()) - {"npuscope"}
    for _, path in modules():
        for name in imported(path):
            assert name.split(".")[0] not in short, f"{path}: short name {name}"


def test_predictions_do_not_look_at_artefacts() -> None:
    for module, path in modules():
        if room(module) not in MAY_LOOK_AT_IT:
            for name in imported(path):
                assert not name.startswith(OUTPUT_OF_TOOLS), f"{module} imports {name}"


def test_each_permission_to_look_at_them_is_used() -> None:
    looking = {room(m) for m, path in modules() if any(n.startswith(OUTPUT_OF_TOOLS) for n in imported(path))}
    assert set(MAY_LOOK_AT_IT) == looking


def test_data_classes_are_those_that_take_little_time_to_declare() -> None:
    others = [
        f"{path.relative_to(ROOT)}: import dataclass from npuscope.record"
        for name, path in modules()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and node.module == "dataclasses" and name != "npuscope.record"
        if any(alias.name == "dataclass" for alias in node.names)
    ]
    assert others == []


def test_what_lies_at_a_path_is_asked_where_nothing_raises() -> None:
    """Path's own questions raise where a name is too long, a folder is closed to us or a user has no home."""
    asking = [
        f"{path.relative_to(ROOT)}:{node.lineno}: ask npuscope.places"
        for name, path in modules()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and node.attr in ("is_file", "is_dir", "exists", "expanduser")
        if name != "npuscope.places"
    ]
    assert asking == []


def test_the_core_is_headless_and_widgets_show_values() -> None:
    for module, path in modules():
        libraries = {name.split(".")[0] for name in imported(path)}
        if room(module) not in UI:
            assert not libraries & UI_LIBRARIES, path
        if room(module) == "npuscope.widgets":
            assert not libraries & FOREIGN_TO_WIDGETS, path


def test_no_package_holds_more_than_twenty_files() -> None:
    one_kind = {"npuscope/neural_art/rules", "npuscope/edits/kinds"}
    count: dict[str, int] = {}
    for _, path in modules():
        if path.name != "__init__.py":
            folder = path.parent.relative_to(ROOT).as_posix()
            count[folder] = count.get(folder, 0) + 1
    assert {folder: n for folder, n in count.items() if n > 20 and folder not in one_kind} == {}


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    folders = {*MOUNTS.values(), "benchmarks", "sample_models", "tests", "tools"}
    count = {
        path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines())
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {name: n for name, n in count.items() if n > 400} == {}


@pytest.mark.parametrize("library", sorted(DEFERRED))
def test_heavy_libraries_are_imported_inside_functions(library: str) -> None:
    for _, path in modules():
        place = path.relative_to(ROOT).as_posix()
        if all(name.split(".")[0] != library for name in imported(path)):
            continue
        assert place.startswith(DEFERRED[library]), f"{place} imports {library}"
        for node in parsed(path).body:
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
    assert not loaded_after("import npuscope.cli.main") & {
        "textual",
        "rich",
        "onnx",
        "numpy",
        "onnxruntime",
        "pydot",
    }


def test_check_loads_no_ui_and_no_runtime() -> None:
    code = (
        "import io, sys; from npuscope.cli.main import main; out = sys.stdout; sys.stdout = io.StringIO()\n"
        "assert main(['check', 'sample_models/denoiser_lstm_int8.onnx', '--json']) == 0\nsys.stdout = out"
    )
    assert not loaded_after(code) & {"textual", "rich", "onnxruntime", "pydot"}


def test_a_table_of_channel_counts_loads_no_model_library() -> None:
    """It takes as long to load as the table."""
    code = (
        "import io, sys; from npuscope.cli.main import main; out = sys.stdout; sys.stdout = io.StringIO()\n"
        "assert main(['channels', '--depthwise', '--json']) == 0\nsys.stdout = out"
    )
    assert not loaded_after(code) & {"onnx", "numpy"}
