"""Mutation testing: python tools/mutate.py [--mutants 300] [--seed 1] [--processes 2] [--only FILE:LINE] [--groups lowering].

Copies the repository, draws mutants in the functions of rules, lowering and edits, and writes all of them into the copy, each
behind a switch. The tests run once to see which of them reach which mutant; then each mutant is switched on in a process that
has collected the tests, for those that reach it, the most particular first: every mutant for 4 s of the processor, then those
that are left for 16 more. One that no test reaches, or that all of them pass with, survives and is printed with its line. Of equal
seed and source the mutants are equal. Tests that fail without a mutant count for nothing.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[1]
GROUPS = {
    "rules": ("npuscope/neural_art/rules",),
    "lowering": ("npuscope/neural_art/lowering",),
    "edits": ("npuscope/edits/kinds", "npuscope/edits/toolkit"),
}
TESTS = (
    "tests/neural_art", "tests/edits", "tests/model", "tests/tflite", "tests/planning", "tests/corpus", "tests/reports", "tests/npu",
    "tests/cli", "tests/groundtruth",
)  # fmt: skip
SWITCH = "_mutant_is_on_"

OTHER_COMPARISON: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OTHER_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip
NOT_TWICE = (ast.Yield, ast.YieldFrom, ast.Await, ast.NamedExpr)
"""Expressions that cannot stand in a program twice."""


def mutated(node: ast.AST) -> ast.AST | None:
    """Another node for one, None where this kind is left as it is."""
    match node:
        case ast.Compare(ops=[op, *more]) if type(op) in OTHER_COMPARISON:
            return ast.Compare(node.left, [OTHER_COMPARISON[type(op)](), *more], node.comparators)
        case ast.BinOp() if type(node.op) in OTHER_ARITHMETIC and not isinstance(node.left, ast.JoinedStr):
            return ast.BinOp(node.left, OTHER_ARITHMETIC[type(node.op)](), node.right)
        case ast.BoolOp():
            return ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        case ast.UnaryOp(op=ast.Not()):
            return node.operand
        case ast.Constant(value=bool()):
            return ast.Constant(not node.value)
        case ast.Constant(value=int()):
            return ast.Constant(node.value + 1)
        case ast.IfExp():
            return ast.IfExp(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
        case ast.Return(value=ast.expr()) if not isinstance(node.value, ast.Constant):
            return ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call()):
            return ast.Pass()
        case ast.If():
            return ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    return None


def sites(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes of functions that can be mutated, in the order of the source."""
    pending: list[tuple[ast.AST, bool]] = [(tree, False)]
    while pending:
        node, inside = pending.pop()
        if isinstance(node, (ast.JoinedStr, ast.arguments)):
            continue
        if inside and mutated(node) is not None and not any(isinstance(n, NOT_TWICE) for n in ast.walk(node)):
            yield node
        inside = inside or isinstance(node, ast.FunctionDef)
        left_out = {id(n) for n in (getattr(node, "annotation", None), getattr(node, "returns", None))}
        left_out |= {id(n) for n in getattr(node, "decorator_list", [])}
        children = [child for child in ast.iter_child_nodes(node) if id(child) not in left_out]
        pending += [(child, inside) for child in reversed(children)]


class Switched(ast.NodeTransformer):
    """Puts the chosen mutants into a tree, each behind its switch."""

    def __init__(self, numbers: dict[int, int]) -> None:
        self.numbers = numbers

    def visit(self, node: ast.AST) -> ast.AST:
        """Inner nodes first; what is mutated keeps the inner mutants in its other form only."""
        number = self.numbers.get(id(node))
        other = mutated(node) if number is not None else None
        made = self.generic_visit(node)
        if other is None:
            return made
        test = ast.Call(ast.Name(SWITCH, ast.Load()), [ast.Constant(number)], [])
        if isinstance(node, ast.stmt):
            return ast.If(test, [other], [made])  # type: ignore[list-item]
        return ast.IfExp(test, other, made)  # type: ignore[arg-type]


def prepare(copy: Path, count: int, seed: int, only: str, groups: Sequence[str]) -> list[dict[str, object]]:
    """Write the mutants into the copy. Each with its file, line and source."""
    chosen: list[dict[str, object]] = []
    draw = Random(seed)
    for group in groups:
        folders = GROUPS[group]
        trees = {
            path: ast.parse(path.read_text("utf-8"))
            for folder in folders
            for path in sorted((copy / folder).glob("*.py"))
        }
        found = [(path, node) for path, tree in trees.items() for node in sites(tree)]
        drawn = draw.sample(found, min(-(-count // len(groups)), len(found)))
        if only:
            drawn = [(p, n) for p, n in found if f"{p.relative_to(copy)}:{n.lineno}" == only]  # type: ignore[attr-defined]
        for path, tree in trees.items():
            numbers: dict[int, int] = {}
            for place, node in drawn:
                if place == path:
                    numbers[id(node)] = len(chosen)
                    other = mutated(node)
                    assert other is not None, "it is one of the sites"
                    chosen.append(
                        {
                            "group": group,
                            "place": f"{path.relative_to(copy)}:{node.lineno}",  # type: ignore[attr-defined]
                            "was": _line(node),
                            "is": _line(other),
                        }
                    )
            if numbers:
                made = Switched(numbers).visit(tree)
                made.body.insert(_start(made), ast.Import([ast.alias("npuscope.mutant_switches")]))
                path.write_text(ast.unparse(ast.fix_missing_locations(made)), "utf-8")
    return chosen


def _start(tree: ast.Module) -> int:
    """Where the first statement stands that may follow another import."""
    later = (i for i, n in enumerate(tree.body) if not isinstance(n, ast.Expr) and not _of_future(n))
    return next(later, len(tree.body))


def _of_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _line(node: ast.AST) -> str:
    shown = ast.unparse(ast.fix_missing_locations(node)).split("\n")
    return shown[0][:90] + (" ..." if len(shown) > 1 else "")


SWITCHES = f"""
import builtins, os

HIT, ON = set(), [int(os.environ.get("MUTANT", "-1"))]

def switch(number):
    HIT.add(number)
    return number == ON[0]

builtins.{SWITCH} = switch
"""
"""A module of the copy that every mutated file imports, in the processes of the program as well."""

PLUGIN = """
import functools, gc, json, os, resource, sys, time
from pathlib import Path

import hypothesis
import pytest
from npuscope.mutant_switches import HIT, ON

hypothesis.settings.register_profile(
    "mutation", phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate], derandomize=True, database=None
)
hypothesis.settings.load_profile("mutation")
FOLDER = Path(os.environ["MUTATION"])
ROWS, HIT_IN_FIXTURE, FAILED = [], {}, set()
# Seconds of tests: each mutant gets the first, then each that is left the others.
ROUNDS = (0.0, 4.0, 20.0)

@functools.cache
def caches(modules):
    return [found for found in gc.get_objects() if isinstance(found, functools._lru_cache_wrapper)]

def forget():
    for found in caches(len(sys.modules)):
        if found is not caches:
            found.cache_clear()

@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup(fixturedef, request):
    before = set(HIT)
    HIT.clear()
    yield
    HIT_IN_FIXTURE[id(fixturedef)] = set(HIT)
    HIT.update(before)

def pytest_runtest_logreport(report):
    if report.outcome == "failed":
        FAILED.add(report.nodeid)

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item, nextitem):
    if "MUTATION_PART" in os.environ:
        yield
        return
    if "groundtruth" not in item.nodeid:
        forget()
    HIT.clear()
    began = time.process_time()
    yield
    for found in item._fixtureinfo.name2fixturedefs.values():
        HIT.update(*(HIT_IN_FIXTURE.get(id(one), ()) for one in found))
    if item.nodeid not in FAILED:
        ROWS.append((item.nodeid, time.process_time() - began, sorted(HIT)))

def pytest_sessionfinish(session):
    if "MUTATION_PART" not in os.environ and ROWS:
        (FOLDER / f"hits-{os.getpid()}.json").write_text(json.dumps(ROWS))

def pytest_runtestloop(session):
    if "MUTATION_PART" not in os.environ:
        return None
    part, parts = map(int, os.environ["MUTATION_PART"].split("/"))
    items = {item.nodeid: item for item in session.items}
    caches(len(sys.modules))
    gc.freeze()
    plan, groups = json.loads((FOLDER / "plan.json").read_text())
    killed = set()
    for begin, end in zip(ROUNDS, ROUNDS[1:]):
        # one of each group in turn: a run that is stopped has a sample of all
        for number in sorted(range(len(plan)), key=lambda n: n % max(len(plan) // groups, 1)):
            if number % parts != part or number in killed:
                continue
            spent, chosen = 0.0, []
            for name, seconds in plan[number]:
                if begin <= spent < end and name in items:
                    chosen.append((items[name], seconds))
                spent += seconds
            if chosen or not begin:
                outcome = tried(session, number, chosen)
                killed |= {number} if outcome != "survived" else set()
                with (FOLDER / f"outcomes-{part}.txt").open("a") as file:
                    file.write(f"{number} {outcome}\\n")
    return True

def tried(session, number, chosen):
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (int(5 * sum(seconds for _, seconds in chosen)) + 40,) * 2)
        ON[0] = number
        os.environ["MUTANT"] = str(number)
        forget()
        tests = [item for item, _ in chosen]
        for item, after in zip(tests, [*tests[1:], None]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if session.testsfailed:
                with (FOLDER / "killers.txt").open("a") as file:
                    file.write(f"{number} {item.nodeid}\\n")
                os._exit(1)
        os._exit(0)
    began = time.monotonic()
    while time.monotonic() < began + 600:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.02)
    else:
        os.kill(child, 9)
        _, status = os.waitpid(child, 0)
    return "survived" if status == 0 else "endless" if os.WIFSIGNALED(status) else "killed"
"""


def run(copy: Path, work: Path, tests: list[str], **more: str) -> subprocess.Popen[bytes]:
    """pytest in the copy, with the plugin."""
    path = os.pathsep.join([str(work), str(copy), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "MUTATION": str(work), "NPUSCOPE_DEBUG": "1", **more}
    parallel = ["-p", "no:xdist"] if "MUTATION_PART" in more else ["-n", str(os.cpu_count())]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "mutation_plugin",
        "-p",
        "no:cacheprovider",
        *parallel,
        *tests,
    ]
    name = more.get("MUTATION_PART", "all").replace("/", "-")
    return subprocess.Popen(
        command, cwd=copy, env=environment, stdout=(work / f"log-{name}").open("wb"), stderr=2
    )


def main() -> int:
    """Draw, run, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mutants", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", metavar="FILE:LINE", help="every mutant of one line")
    parser.add_argument(
        "--groups",
        nargs="+",
        choices=GROUPS,
        default=list(GROUPS),
        help="the mutants are theirs in equal parts",
    )
    parser.add_argument("--tests", nargs="+", default=TESTS)
    parser.add_argument("--keep", type=Path, help="where the copy and what was measured stay")
    options = parser.parse_args()
    work = options.keep or Path(tempfile.mkdtemp(prefix="mutants-"))
    copy = work / "copy"
    shutil.copytree(
        ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(".git", ".venv", "build", "dist", "*.pyc")
    )
    mutants = prepare(copy, options.mutants, options.seed, options.only, options.groups)
    (work / "mutants.json").write_text(json.dumps(mutants, indent=1))
    (copy / "npuscope" / "mutant_switches.py").write_text(SWITCHES)
    (work / "mutation_plugin.py").write_text(PLUGIN)
    if run(copy, work, options.tests).wait() not in (0, 1):
        print((work / "log-all").read_text("utf-8", "replace")[-3000:])
        return 2
    reach: dict[int, list[tuple[int, float, str]]] = {}
    for file in work.glob("hits-*.json"):
        for name, seconds, hit in json.loads(file.read_text()):
            for number in hit:
                reach.setdefault(number, []).append((len(hit), seconds, name))
    plan = [[(name, seconds) for _, seconds, name in sorted(reach.get(n, ()))] for n in range(len(mutants))]
    (work / "plan.json").write_text(json.dumps([plan, len(options.groups)]))
    parts = range(options.processes)
    for process in [run(copy, work, options.tests, MUTATION_PART=f"{p}/{options.processes}") for p in parts]:
        process.wait()
    outcomes = {}
    for file in work.glob("outcomes-*.txt"):
        for line in file.read_text().splitlines():
            number, outcome = line.split()
            outcomes[int(number)] = outcome
    for group in options.groups:
        of_group = [n for n, mutant in enumerate(mutants) if mutant["group"] == group]
        killed = sum(outcomes.get(n) in ("killed", "endless") for n in of_group)
        endless = sum(outcomes.get(n) == "endless" for n in of_group)
        share = killed / max(len(of_group), 1)
        print(f"{group}: {killed} of {len(of_group)} killed ({share:.0%}), {endless} of them by their time")
    for number, mutant in enumerate(mutants):
        if outcomes.get(number) not in ("killed", "endless"):
            why = "" if plan[number] else "  (no test reaches it)"
            print(f"survived: {mutant['place']}: {mutant['was']}  ->  {mutant['is']}{why}")
    if options.keep is None:
        shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
