"""How often a cause was seen in compiled networks, and how often the compiler did what it says.

The counts are in evidence.toml, which tools/compare_placement.py writes; they are counts of layers, nothing else.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from npuscope.record import dataclass

FILE = "evidence.toml"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Layers with a cause: in `agreed` of `seen` the compiler placed them so; `versions` are those that compiled them."""

    agreed: int
    seen: int
    versions: tuple[str, ...]

    def __str__(self) -> str:
        if not self.seen:
            return "never seen compiled"
        span = self.versions[0] if len(self.versions) == 1 else f"{self.versions[0]} to {self.versions[-1]}"
        return f"{self.agreed} of {self.seen} compiled layers ({span})"


NEVER = Evidence(0, 0, ())

STEP_RULES = {
    "averages_scaled": "an average is brought to its own scale by the unit that pools it (from 4.0)",
    "coefficients_fetched": "coefficients of more than 512 channels take stream engines (up to 3.0)",
    "pooled_apart": "what sub-masks of a larger kernel were summed to is pooled from memory (from 4.0)",
    "rows_copied": "what a Conv1d writes is copied to rows for other units",
    "second_correction_apart": "the second correction of a product of two maps leaves its epoch (up to 3.0)",
    "sub_masks_apart": "sub-masks of a depthwise kernel of one row are added in later epochs (from 4.0)",
}
"""Rules of lowering, which are about steps and place no layer: a word of the file -> what the rule says.

A layer counts where the compiler's epochs, or their number, tell (tools/placement_steps.py).
"""


def evidence(cause: str) -> Evidence:
    """What is known of a cause by its word."""
    return _counts().get(cause, NEVER)


@cache
def _counts() -> Mapping[str, Evidence]:
    table = tomllib.loads(files("npuscope.neural_art.kernels").joinpath(FILE).read_text("utf-8"))
    return {
        cause: Evidence(int(row["agreed"]), int(row["seen"]), tuple(row["versions"]))
        for cause, row in table.items()
    }
