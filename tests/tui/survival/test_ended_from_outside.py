"""Signals and surroundings: the terminal is left as it was, and what Textual would not start with is said in a line."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from builders.signals import as_at_a_terminal

from npuscope.model.errors import ModelError
from npuscope.services.builds import BuildOptions
from npuscope.tui.run import run


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
async def test_a_signal_leaves_as_a_user_would(denoiser: Path, explore: Any, settle: Any, name: str) -> None:
    number = getattr(signal, name)
    with as_at_a_terminal():
        async with explore(denoiser) as pilot:
            assert signal.getsignal(number) is not signal.SIG_DFL
            os.kill(os.getpid(), number)
            await settle(pilot)
            assert pilot.app.return_code == 128 + number
            assert signal.getsignal(number) is signal.SIG_DFL, "a second one ends the process"


@pytest.mark.parametrize(
    ("name", "value"),
    [("TEXTUAL_COLOR_SYSTEM", "x"), ("TEXTUAL_DRIVER", "no_such:x"), ("TEXTUAL_DRIVER", "textual.driver:No")],
)
def test_settings_of_textual_that_it_would_not_start_with(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ModelError, match=name):
        run([], BuildOptions())
