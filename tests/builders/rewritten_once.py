"""Test modules, their assertions rewritten by pytest: once, before the processes that run tests each do it for all of them.

pytest does so where a process imports a module and finds none; processes that start together find none at the same time.
So it is with Hypothesis's table of what can be encoded, which takes over a second to make.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from _pytest.assertion import rewrite
from hypothesis import strategies as st


def write(folder: Path, config: pytest.Config) -> None:
    """Half of them by a process of its own, where one can be forked."""
    if sys.dont_write_bytecode:
        return
    modules = sorted(folder.rglob("test_*.py"))
    other = os.fork() if hasattr(os, "fork") else None
    if other is None:
        _write(modules, config)
    elif other:
        _write(modules[::2], config)
        os.waitpid(other, 0)
    else:
        try:
            _write(modules[1::2], config)
            st.text().validate()
        finally:
            os._exit(0)


def _write(modules: Iterable[Path], config: pytest.Config) -> None:
    state = config.stash[rewrite.assertstate_key]
    for module in modules:
        place = rewrite.get_cache_dir(module) / f"{module.stem}{rewrite.PYC_TAIL}"
        if rewrite._read_pyc(module, place) is None:
            place.parent.mkdir(exist_ok=True)
            status, code = rewrite._rewrite_test(module, config)
            rewrite._write_pyc(state, code, status, place)
