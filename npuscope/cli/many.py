"""`check` of several models, or of one for several targets: in parallel, with a row for each."""

from __future__ import annotations

import argparse
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from npuscope.cli import console
from npuscope.cli.baseline import FAILURES, annotated, known_of, outcome_status
from npuscope.cli.common import DONE, FOUND, UNUSABLE, build_options, fails, open_model
from npuscope.cli.console import note, print_json, print_text
from npuscope.record import dataclass

if TYPE_CHECKING:
    from npuscope.machine.build import Build
    from npuscope.model.load import Source
    from npuscope.reports.several.models_report import ModelRow
    from npuscope.reports.several.sweep_report import SweepRow
    from npuscope.services.baseline import Item, Known
    from npuscope.services.sweep import Variant

JSON, SARIF, GITHUB, ROWS = "json", "sarif", "github", "rows"


@dataclass(frozen=True, slots=True)
class Task:
    """A file to judge, and which form its result is wanted in."""

    path: str
    build: Build
    form: str
    fail_on: str | None
    gains: str = "none"
    """As --gains: of JSON alone."""
    as_int8: bool = False
    symmetric: bool = False
    known: Known | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A row, the form that was wanted (None for rows alone), and whether `--fail-on` is met."""

    row: ModelRow
    content: Any = None
    failed: bool = False
    items: tuple[Item, ...] = ()


def judge(task: Task) -> Outcome:
    """Judge one file; runs in a process of its own. Raises ModelError."""
    from npuscope.machine.machine import target_of
    from npuscope.reports.several.models_report import model_row
    from npuscope.services.baseline import items_of
    from npuscope.session import Session
    from npuscope.snapshot import analyse

    session = Session.open(_model(task), target_of(task.build))
    content: Any = None
    if task.form == JSON:
        from npuscope.planning.gains import GainScope, many_trials, weighed
        from npuscope.reports.json_report import check_json

        how = GainScope(task.gains)
        snapshot = analyse(session, keep=many_trials(session, how))
        content = check_json(session, snapshot, weighed(session, snapshot, how))
    else:
        snapshot = analyse(session)
    if task.form == SARIF:
        from npuscope.reports.sarif import sarif

        content = sarif(session, snapshot, annotated(snapshot, task.known))
    elif task.form == GITHUB:
        from npuscope.reports.annotations import github_annotations

        content = github_annotations(session, snapshot, annotated(snapshot, task.known))
    failed = bool(task.fail_on) and fails(snapshot, task.fail_on or "")
    return Outcome(model_row(task.path, snapshot), content, failed, items_of(snapshot))


def _model(task: Task) -> Source:
    source = open_model(task.path)
    if not task.as_int8:
        return source
    from npuscope.model.as_int8.symbolic import as_int8

    return as_int8(source, task.symmetric)


def check_many(options: argparse.Namespace, files: list[str]) -> int:
    """Judge the files and print a row each, or all of them in another form. 2 where one cannot be used."""
    from npuscope.model.errors import ModelError
    from npuscope.reports.several.models_report import (
        ModelRow,
        models_csv,
        models_markdown,
        models_text,
    )
    from npuscope.services.folders import size_of
    from npuscope.services.parallel import Failure, each_in_parallel

    if "-" in files:
        raise ModelError("-: standard input holds one model; name it alone, or name files")
    if options.all or options.only or options.match:
        option = "--all" if options.all else "--only" if options.only else "--match"
        raise ModelError(f"{option}: shows layers; name one model")
    form = next((name for name in (JSON, SARIF, GITHUB) if getattr(options, name)), ROWS)
    build = build_options(options).build()
    tasks = [
        Task(
            path,
            build,
            form,
            options.fail_on,
            options.gains,
            options.as_int8,
            options.symmetric,
            known_of(options, path),
        )
        for path in files
    ]
    judged = each_in_parallel(judge, tasks, size=lambda task: size_of(task.path))
    outcomes = [
        Outcome(ModelRow(path, judgement.words)) if isinstance(judgement, Failure) else judgement
        for path, judgement in zip(files, judged, strict=True)
    ]
    rows = [outcome.row for outcome in outcomes]
    if form == JSON:
        print_json([_json(outcome) for outcome in outcomes])
    elif form == SARIF:
        print_json(_sarif([outcome.content for outcome in outcomes if outcome.content is not None]))
    elif form == GITHUB:
        print_text("".join(outcome.content or "" for outcome in outcomes))
    elif options.csv:
        print_text(models_csv(rows))
    elif options.markdown:
        print_text(models_markdown(rows))
    else:
        print_text(models_text(rows, console.width()))
    bad = [row for row in rows if row.error]
    if bad and form in (SARIF, GITHUB):
        import sys

        for row in bad:  # these forms have no place for a file that cannot be used
            sys.stderr.write(f"npuscope: {row.error}\n")
    if bad:
        return UNUSABLE
    failed = [outcome.row.path for outcome in outcomes if outcome.failed]
    return outcome_status(options, [(outcome.row.path, outcome.items) for outcome in outcomes], failed)


def _json(outcome: Outcome) -> object:
    if outcome.content is not None:
        return outcome.content
    from npuscope.reports.json_report import SCHEMA

    return {"schema": SCHEMA, "model": {"path": outcome.row.path}, "error": outcome.row.error}


def _sarif(reports: list[dict[str, Any]]) -> dict[str, Any]:
    from npuscope.reports.sarif import FORMAT

    return {**FORMAT, "runs": [run for report in reports for run in report["runs"]]}


# -- one model, many targets


@dataclass(frozen=True, slots=True)
class SweepTask:
    """A model and one of the targets it is judged for."""

    path: str
    variant: Variant
    fail_on: str | None


@lru_cache(maxsize=1)
def _opened(path: str) -> Source:
    return open_model(path)


def judge_variant(task: SweepTask) -> tuple[SweepRow, bool]:
    """Judge the model for one target; runs in a process that keeps the model open. Raises ModelError."""
    from npuscope.reports.several.sweep_report import sweep_row
    from npuscope.session import Session
    from npuscope.snapshot import analyse

    snapshot = analyse(Session.open(_opened(task.path), task.variant.target()))
    return sweep_row(task.variant, snapshot), bool(task.fail_on) and fails(snapshot, task.fail_on or "")


def check_sweep(options: argparse.Namespace, path: str) -> int:
    """Judge a model for all targets that the options leave open."""
    from npuscope.model.errors import ModelError
    from npuscope.reports.several.sweep_report import sweep_csv, sweep_json, sweep_markdown, sweep_text
    from npuscope.services.parallel import Failure, each_in_parallel
    from npuscope.services.sweep import variants

    for option in ("all", "only", "match", SARIF, GITHUB, "baseline", "write_baseline"):
        if getattr(options, option):
            raise ModelError(
                f"--{option.replace('_', '-')}: shows layers or findings; --sweep gives figures for whole models"
            )
    if options.as_int8:
        raise ModelError("--as-int8: judges for one target at a time; leave out --sweep")
    source = _opened(path)  # what is wrong with the model is said once
    tasks = [SweepTask(path, variant, options.fail_on) for variant in variants(build_options(options))]
    rows, failed = [], 0
    for row in each_in_parallel(judge_variant, tasks):
        if isinstance(row, Failure):
            raise ModelError(f"{path}: {row.words}")
        rows.append(row[0])
        failed += row[1]
    if options.json:
        print_json(sweep_json(source, rows))
    elif options.csv:
        print_text(sweep_csv(rows))
    elif options.markdown:
        print_text(sweep_markdown(source, rows))
    else:
        print_text(sweep_text(source, rows))
    if failed:
        fails_for = f"{FAILURES[options.fail_on]}, for {failed} of {len(rows)} targets"
        note(f"--fail-on {options.fail_on}: {path}: {fails_for}")
    return FOUND if failed else DONE
