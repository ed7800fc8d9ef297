"""The JSON Schemas of the package: their names, and what each says. A contract only grows: keys are added, none renamed."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from npuscope.model.errors import ModelError

PLURAL = "checks"
"""The schema of an array; every other one is of an object that names it in its key 'schema'."""


@cache
def names() -> tuple[str, ...]:
    """What there is a schema of: 'check', 'plan', ..."""
    files = resources.files(__package__).iterdir()
    return tuple(sorted(file.name.removesuffix(".json") for file in files if file.name.endswith(".json")))


def text_of(name: str) -> str:
    """The schema as its file has it. Raises ModelError for a name there is none of."""
    if name not in names():
        raise ModelError(f"{name!r}: there is no such schema; there are {', '.join(names())}")
    return resources.files(__package__).joinpath(f"{name}.json").read_text("utf-8")


def schema(name: str) -> dict[str, Any]:
    """The schema as data. Raises ModelError for a name there is none of."""
    content: dict[str, Any] = json.loads(text_of(name))
    return content


def name_for(value: object) -> str | None:
    """The schema that an output says it follows; None for forms that are not ours, as SARIF."""
    if isinstance(value, list):
        return PLURAL
    stated = value.get("schema") if isinstance(value, dict) else None
    return stated.removeprefix("npuscope.").partition("/")[0] if isinstance(stated, str) else None
