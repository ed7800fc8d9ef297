"""When Python looks for garbage: in a process of its own, since that of the tests has set much of it aside."""

import subprocess
import sys

import pytest

MADE = """
import gc
from npuscope.garbage import freeze, kept_for_good, without_collections

class Ring:
    pass

def ring():
    one = Ring()
    one.itself = one
    return one

def generation(value):
    return next((g for g in range(3) if any(other is value for other in gc.get_objects(g))), None)

gc.set_threshold(10**6)
"""


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("with without_collections(): kept = ring()\nprint(generation(kept), gc.isenabled())", "2 True"),
        ("kept = ring()\nprint(generation(kept))", "0"),
        ("gc.disable()\nwith without_collections(): kept = ring()\nprint(generation(kept), gc.isenabled())", "0 False"),
        ("with without_collections(): ring()\nprint(gc.collect(1), gc.collect() > 0)", "0 True"),
        ("gc.collect(); ring()\nwith without_collections(): print(gc.collect())", "0"),
        ("with kept_for_good(): kept = ring()\nprint(generation(kept))", "None"),
        ("was = ring(); freeze()\nwith without_collections(): kept = ring()\nprint(generation(was), generation(kept))", "None 0"),
        ("was = ring(); gc.freeze()\nwith without_collections(): kept = ring()\nprint(generation(was), generation(kept))", "None 0"),
    ],
    ids=["old at once", "young elsewhere", "disabled before", "garbage of its own", "garbage before", "for good", "frozen before", "frozen by others"],
)  # fmt: skip
def test_what_is_made_meanwhile_is_old(code: str, said: str) -> None:
    run = subprocess.run([sys.executable, "-c", MADE + code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == said
