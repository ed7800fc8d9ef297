"""How many examples a property test draws; and every JSON output is held to its schema: what writes them is watched."""

import gc
import re
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from time import thread_time

import pytest
from _pytest.tmpdir import tmppath_result_key
from builders import computed_once, forked, rewritten_once
from builders.schemas import complaints
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from npuscope import garbage
from npuscope.cli import console
from npuscope.model import budget
from npuscope.planning import planner

TESTS = Path(__file__).parent

settings.register_profile(
    "suite",
    settings.get_profile(settings.get_current_profile_name()),
    max_examples=10,
    # The same examples everywhere: what passes here passes elsewhere. New ones are for the long profile and the fuzzers.
    derandomize=True,
    database=None,
    # By the clock, both: a machine that is busy otherwise is slow.
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
"""Where a test states no number of its own. `pytest --hypothesis-profile long` looks for longer."""
settings.register_profile("long", settings.get_profile("default"), max_examples=1_000, deadline=None)
settings.load_profile("suite")

gc.set_threshold(50_000, 20, 20)
"""With Python's own, of 700 objects, looking for garbage took a tenth of what tests compute, a quarter of collecting them."""


def pytest_configure(config: pytest.Config) -> None:
    """Before the processes that run tests are started, which find the folder named in their environment."""
    if not hasattr(config, "workerinput"):
        computed_once.share()
        if getattr(config.option, "numprocesses", None) and config.args == config.getini("testpaths"):
            rewritten_once.write(TESTS, config)
    if config.getoption("--hypothesis-profile") is None:
        # Ten examples have no use for what constants all modules hold, which take seconds to read in each process.
        providers._get_local_constants = lambda: providers._local_constants


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        computed_once.share_no_more()


def pytest_collection_finish() -> None:
    """Modules, cases and the tests themselves stay to the end: no garbage is looked for among them."""
    garbage.freeze()


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """As pytest's: it stays where the test fails. No folder is looked through for a free number, which takes milliseconds."""
    name = re.sub(r"\W", "_", request.node.name)[:30]
    path = tmp_path_factory.getbasetemp() / f"{name}{next(_numbers)}"
    path.mkdir(mode=0o700)
    yield path
    if request.node.stash[tmppath_result_key].get("call", True):
        shutil.rmtree(path, ignore_errors=True)


_numbers = count()


@pytest.fixture(scope="session", autouse=True)
def _own_clock() -> Iterator[None]:
    """What has a time limit is held to what it computes itself: a machine that is busy otherwise cuts nothing short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planner, "monotonic", thread_time)
        patch.setattr(budget, "monotonic", thread_time)
        yield


@pytest.fixture(scope="session", autouse=True)
def _computed_once() -> Iterator[None]:
    """What fixes of a model save, and its plan, is found once in each process."""
    with pytest.MonkeyPatch.context() as patch:
        computed_once.use(patch)
        yield


@pytest.fixture(scope="session", autouse=True)
def _onnx_is_loaded_once() -> Iterator[None]:
    """Where it is asked in another process."""
    with pytest.MonkeyPatch.context() as patch:
        forked.use(patch)
        yield
    forked.end()


_against_schema: list[str] = []


@pytest.fixture(scope="session", autouse=True)
def _watched_json() -> Iterator[None]:
    plain = console.json_text

    def watched(value: object) -> str:
        _against_schema.extend(complaints(value))
        return plain(value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console, "json_text", watched)
        yield


@pytest.fixture(autouse=True)
def _json_follows_schemas(_watched_json: None) -> Iterator[None]:
    _against_schema.clear()
    yield
    assert not _against_schema, _against_schema[:5]
