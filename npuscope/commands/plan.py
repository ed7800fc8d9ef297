"""`npuscope plan`: the edits that make a model better, and the model with them. `npuscope apply`: a recipe again."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from npuscope.commands.common import (
    DONE,
    chosen_samples,
    granted,
    open_session,
    output_options,
    print_json,
    print_text,
    sample_options,
    target_options,
)

if TYPE_CHECKING:
    from npuscope.edits.plan import Plan
    from npuscope.session import Session

MEASURED_BELOW = 5_000
"""Nodes up to which a plan that changes numbers is run to say by how much; onnxruntime opens larger models slowly."""


def plan_options(parser: argparse.ArgumentParser) -> None:
    """The options of `plan`."""
    parser.add_argument("model", help="the .onnx file")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object (schema npuscope.plan/1)")
    form.add_argument("--markdown", action="store_true", help="a report to paste into a chat or an issue")
    parser.add_argument(
        "--loss",
        default="needed",
        metavar="BUDGET",
        help="exact: change no number; needed: only to bring a layer onto the NPU (default); any: also to save "
        "time; a number: as needed, every output keeping so many dB",
    )
    parser.add_argument("--apply", action="store_true", help="write the model with all steps made; needs -o")
    parser.add_argument("--recipe", metavar="FILE", help="write the steps as a recipe")
    parser.add_argument(
        "--seconds", type=float, default=15.0, metavar="N", help="bound of the search (default 15)"
    )
    output_options(parser, False, "write the improved model here, with --apply")
    sample_options(parser)
    target_options(parser)


def plan(options: argparse.Namespace) -> int:
    """Run `plan`."""
    from dataclasses import replace

    from npuscope.edits.loss_budget import within
    from npuscope.edits.plan import apply, budget_of
    from npuscope.edits.planner import plan as search
    from npuscope.edits.recipe import save
    from npuscope.export.onnx_file import write
    from npuscope.export.plan_report import plan_json, plan_markdown, plan_text
    from npuscope.model.errors import ModelError
    from npuscope.snapshot import analyse

    if options.apply != bool(options.output):
        raise ModelError("--apply and -o OUT belong together: give both, or neither to see the plan only")
    budget = replace(granted(budget_of(options.loss)), seconds=options.seconds)
    session = open_session(options)
    found = search(session, analyse(session), budget)
    if budget.decibels is not None:
        found = granted(within(session, found, budget.decibels, chosen_samples(options, session)))
    changed = session
    if options.apply or options.recipe:
        changed = granted(apply(session, found, samples=chosen_samples(options, session)))
    if options.json:
        print_json(plan_json(found))
    elif options.markdown:
        print_text(plan_markdown(found, session.source.path.name))
    else:
        print_text(plan_text(found))
        if changed is not session:
            _say_difference(options, session, changed, found)
    if options.recipe:
        save(changed, options.recipe, options.force)
    if options.apply:
        written = write(changed, options.output, force=options.force)
        if not (options.json or options.markdown):
            print_text(f"written {written.path}")
    return DONE


def _say_difference(options: argparse.Namespace, session: Session, changed: Session, found: Plan) -> None:
    from npuscope.edits.plan import loss
    from npuscope.edits.verify import verify
    from npuscope.export.text_report import verification_text

    if loss(found.exactness) and len(changed.graph.nodes) < MEASURED_BELOW:
        samples = chosen_samples(options, session)
        seed = None if options.inputs else options.seed
        print_text(
            verification_text(
                verify(session, changed, len(samples), options.seed, None if seed is not None else samples)
            )
        )


def apply_options(parser: argparse.ArgumentParser) -> None:
    """The options of `apply`."""
    parser.add_argument("model", help="the .onnx file the recipe was made for")
    parser.add_argument("recipe", help="the recipe, or a model exported with one")
    parser.add_argument(
        "--other-model", action="store_true", help="the file may be another one, if its layers are alike"
    )
    output_options(parser, True, "write the edited model here")
    target_options(parser)


def apply(options: argparse.Namespace) -> int:
    """Run `apply`."""
    from npuscope.edits.recipe import load as load_recipe
    from npuscope.edits.recipe import replay
    from npuscope.export.onnx_file import write
    from npuscope.export.plan_report import summary_line
    from npuscope.snapshot import analyse

    session = open_session(options)
    recipe = load_recipe(options.recipe)
    changed = granted(replay(session.source, recipe, session.target, options.other_model))
    before, after = analyse(session).summary, analyse(changed).summary
    written = write(changed, options.output, force=options.force)
    count = len(recipe.entries)
    print_text(
        f"{count} edit{'s' if count != 1 else ''} made\n"
        f"before  {summary_line(before)}\nafter   {summary_line(after)}\nwritten {written.path}"
    )
    return DONE
