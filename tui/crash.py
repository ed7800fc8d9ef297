"""What happens where npuscope itself is wrong: the traceback goes into a file, one line goes to the user."""

from __future__ import annotations

import traceback
from pathlib import Path

from npuscope import __version__
from npuscope.files.atomic import write_text
from npuscope.files.journal import state_folder
from npuscope.model.errors import ModelError, one_line


def last_words(error: BaseException, unexported: bool) -> str:
    """What to say of an error that ends the program; its traceback is kept in the user's state folder."""
    message = one_line(f"{type(error).__name__}: {error}", 160)
    lines = [f"npuscope: ended by an internal error: {message}"]
    file = record(error)
    if file is not None:
        lines.append(f"npuscope: please report it with {file}")
    if unexported:
        lines.append("npuscope: your edits were kept; they are offered when the model is opened again")
    return "\n".join(lines)


def notice(error: BaseException) -> str:
    """What to say of an error that the program outlives; its traceback is kept as above."""
    text = one_line(f"{type(error).__name__}: {error}", 100)
    file = record(error)
    return f"Internal error: {text}" + (f" (details in {file})" if file is not None else "")


def record(error: BaseException) -> Path | None:
    """Keep a traceback in the user's state folder; the file, or None where that cannot be written."""
    text = "".join(traceback.format_exception(error))
    try:
        file = state_folder() / "crash.txt"
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_text(file, f"npuscope {__version__}\n\n{text}")
    except (OSError, ModelError, RuntimeError):  # a full disk, or no home
        return None
    return file
