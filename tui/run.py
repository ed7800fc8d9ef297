"""Running the application."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module

from rich.console import COLOR_SYSTEMS

from npuscope.files.settings import read
from npuscope.machine.machine import target_of
from npuscope.model.errors import ModelError
from npuscope.services.builds import BuildOptions
from npuscope.tui import garbage, key_priority
from npuscope.tui.app import Npuscope


def run(
    paths: Sequence[str],
    asked: BuildOptions,
    recipe: str | None = None,
    inputs: str | None = None,
) -> int:
    """Run the application; the process's exit status. Raises ModelError for a build that is not known.

    What is not `asked` for is what the artefacts among the files state, else the user's settings, else the default.
    """
    _check_environment()
    settings = read()
    complaint = settings.complaint
    try:
        base = BuildOptions(toolchain=settings.toolchain or None, board=settings.board or None).build()
    except ModelError as error:
        base, complaint = None, f"settings.toml: {error}"
    judged_for = target_of(asked.build(base))
    app = Npuscope(paths[0] if paths else None, judged_for, paths[1:])
    app.use(settings.theme, complaint)
    app.use_keys(settings.keys)
    app.recipe, app.document.asked, app.document.inputs = recipe, asked, inputs
    garbage.pause()
    key_priority.prepare()
    app.run()
    return app.return_code or 0


def _check_environment() -> None:
    """Raise ModelError for what Textual would not start with, in a word of its own."""
    system = os.environ.get("TEXTUAL_COLOR_SYSTEM", "auto")
    if system != "auto" and system not in COLOR_SYSTEMS:
        raise ModelError(f"TEXTUAL_COLOR_SYSTEM={system!r}: use one of auto, {', '.join(COLOR_SYSTEMS)}")
    module, _, name = os.environ.get("TEXTUAL_DRIVER", "").partition(":")
    if module:
        try:
            getattr(import_module(module), name)
        except (AttributeError, ImportError, ValueError) as error:
            raise ModelError(f"TEXTUAL_DRIVER={module}:{name} cannot be used ({error}); unset it") from error
