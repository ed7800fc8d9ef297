"""Find the edits that bring layers onto the NPU and save time.

Examples:
  npuscope plan model.onnx
  npuscope plan model.onnx --loss exact        only edits that change no numbers
  npuscope plan model.onnx --max-ms 5 --reference float.onnx --inputs samples.npz      the most dB within 5 ms
  npuscope plan float.onnx --as-int8           what will be worth doing once it is quantized
  npuscope plan model.onnx --apply -o fixed.onnx --recipe fix.toml --report fix.md
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from npuscope.cli.common import (
    DONE,
    FOUND,
    applied,
    as_int8_options,
    chosen_samples,
    milliseconds,
    open_session,
    output_options,
    refuse_to_write,
    sample_options,
    seconds,
    target_options,
    unwrap,
    write_model,
)
from npuscope.cli.console import print_json, print_text, progress, written
from npuscope.cli.losses import least_option, loss_of
from npuscope.cli.report_file import check_outputs, report_option, write_report

if TYPE_CHECKING:
    from npuscope.planning.accuracy.time_budget import TimeBudgetResult
    from npuscope.planning.plan import Plan
    from npuscope.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("model", metavar="MODEL", help="the .onnx or .tflite file")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object (schema npuscope.plan/1)")
    form.add_argument("--markdown", action="store_true", help="a report to paste into a chat or an issue")
    parser.add_argument(
        "--loss",
        default="needed",
        metavar="BUDGET",
        help="exact: change no numbers; needed: only where no exact edit takes a layer out of software (default); any: also to save time; a number: as needed, every output keeping at least that many dB",
    )
    parser.add_argument(
        "--max-ms",
        type=milliseconds,
        metavar="X",
        help="look for the most dB within so many simulated milliseconds, not for the least time",
    )
    parser.add_argument(
        "--reference",
        metavar="FLOAT.onnx",
        help="with --max-ms: measure dB against this float model, clip outliers and correct biases as well",
    )
    parser.add_argument(
        "--slower",
        action="store_true",
        help="also bring layers onto the NPU if that makes the model slower",
    )
    least_option(parser, "leave out steps that take an output below this ratio of signal to difference")
    parser.add_argument(
        "--accept-loss",
        action="store_true",
        help="apply all steps, even those that lose too much or are calibrated on random inputs",
    )
    parser.add_argument(
        "--apply", action="store_true", help="write the model with all steps applied; needs -o"
    )
    parser.add_argument("--recipe", metavar="FILE", help="write the steps as a recipe")
    report_option(parser)
    parser.add_argument(
        "--seconds",
        type=seconds,
        default=15.0,
        metavar="N",
        help="time limit of the search (default 15): first for edits that change no numbers, then for those that do",
    )
    output_options(parser, False, "write the improved model here, with --apply")
    sample_options(parser)
    as_int8_options(parser)
    target_options(parser)


def run(options: argparse.Namespace) -> int:
    """Run `plan`. Exit status 1 where steps lose too much or are calibrated on random inputs."""
    from dataclasses import replace
    from pathlib import Path

    from npuscope.files.atomic import check_beside
    from npuscope.files.onnx_file import check_target
    from npuscope.files.recipe import save
    from npuscope.model.errors import ModelError
    from npuscope.model.names import printable
    from npuscope.numbers.differences import LEAST_DECIBELS
    from npuscope.planning.accuracy.loss_budget import trimmed_to
    from npuscope.planning.assess import assess
    from npuscope.planning.plan import budget_of, loss
    from npuscope.planning.planner import plan as search
    from npuscope.reports.plan_report import plan_json, plan_markdown, plan_text, within_text
    from npuscope.reports.text_report import IF_QUANTIZED
    from npuscope.services.writing import refuse_shared_names
    from npuscope.snapshot import analyse

    refuse_to_write(options, "apply", "output", "recipe", "report")
    check_outputs(options)
    refuse_shared_names({"-o": options.output, "--recipe": options.recipe, "--report": options.report})
    if options.apply != bool(options.output):
        raise ModelError("--apply and -o OUT belong together: give both, or neither to only see the plan")
    if options.as_int8 and options.loss not in ("exact", "needed", "any"):
        raise ModelError(
            "--loss: needs a model that can be run, to measure dB; one judged as if quantized cannot be"
        )
    if options.reference and not options.max_ms:
        raise ModelError("--reference: applies to --max-ms; give it as well")
    if options.max_ms and options.as_int8:
        raise ModelError(
            "--max-ms: needs a model that can be run, to measure dB; one judged as if quantized cannot be"
        )
    budget = replace(unwrap(budget_of(options.loss)), seconds=options.seconds, slower=options.slower)
    if options.max_ms and budget.decibels is not None:
        raise ModelError("--max-ms looks for the most dB, --loss with a number for the least time: give one")
    session = open_session(options)
    if options.apply:
        check_target(session.source, Path(options.output), options.force)
    for beside in filter(None, (options.recipe, options.report)):
        check_beside(session.source, Path(beside), options.force)
    before = analyse(session)
    with progress("looking through the layers") as job:
        plan = search(session, before, budget, job)
    if budget.decibels is not None:
        plan = unwrap(trimmed_to(session, plan, budget.decibels, chosen_samples(options, session)))
    least = options.least_db
    within_ms = None
    if options.max_ms:
        plan, within_ms = _within_ms(options, session, plan)
    if least is None:
        least = 0.0 if options.max_ms else LEAST_DECIBELS
    if not options.as_int8:
        inexact = [plan.exactness, *(one.edit.exactness for one in plan.set_aside)]
        samples = chosen_samples(options, session) if any(map(loss, inexact)) else ()
        plan = assess(session, plan, samples, least, options.inputs is not None)
    warnings = plan.assessment.warnings if plan.assessment is not None else ()
    taken = range(len(plan.steps)) if options.accept_loss else plan.safe
    summary, checked, status = "", None, DONE
    if options.apply or options.recipe or options.report or budget.decibels is not None:
        changed = applied(options, session, [plan.steps[index].edit for index in taken])
        measured = loss_of(options, changed)
        if measured is not None and measured.unknown:
            raise ModelError(measured.unknown)
        checked = measured.checked if measured is not None else None
        if options.recipe:
            save(changed, options.recipe, options.force)
            summary += written(options.recipe)
        if options.apply:
            status = write_model(options, changed)
            summary += written(options.output)
        if options.report:
            write_report(options, changed, before, checked.whole_model if checked is not None else None)
            summary += written(options.report)
    if options.json:
        print_json({**plan_json(plan, within_ms), "as_int8": options.as_int8})
    elif options.markdown:
        print_text(plan_markdown(plan, f"{session.source.path.name}{IF_QUANTIZED * options.as_int8}"))
    else:
        if options.as_int8:
            print_text(
                f"{printable(session.source.path.name)}{IF_QUANTIZED}: what the steps do to the numbers is not known yet"
            )
        print_text(plan_text(plan))
        if within_ms is not None:
            print_text(within_text(within_ms))
        if checked is not None:
            from npuscope.reports.several.verify_report import places_text, verification_text

            if checked.whole_model is not None:
                print_text(verification_text(checked.whole_model))
            print_text(places_text(checked))
        print_text(summary)
    if len(taken) < len(plan.steps) and (options.apply or options.recipe) and not options.json:
        left = len(plan.steps) - len(taken)
        print_text(f"{left} of {len(plan.steps)} steps not applied; --accept-loss applies them all")
    return FOUND if warnings else status


def _within_ms(options: argparse.Namespace, session: Session, plan: Plan) -> tuple[Plan, TimeBudgetResult]:
    """The plan with the most dB within --max-ms. Raises ModelError."""
    from npuscope.model.load import load
    from npuscope.numbers.sample_sources import samples_from
    from npuscope.numbers.verify_models import samples_for_both
    from npuscope.planning.accuracy.time_budget import within_time

    reference = load(options.reference) if options.reference else None
    if reference is None:
        samples = chosen_samples(options, session)
    elif options.inputs:
        samples = samples_from(options.inputs, reference)
    else:
        samples = samples_for_both(reference, session.source, options.samples, options.seed)
    return unwrap(within_time(session, plan, options.max_ms, samples, reference, options.inputs is not None))
