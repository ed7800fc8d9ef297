"""What an output in JSON does not keep of its schema."""

from __future__ import annotations

from functools import cache

from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from npuscope.reports.schemas.catalogue import name_for, schema


@cache
def _validator(name: str) -> Validator:
    known = schema(name)
    return validator_for(known)(known)


def complaints(value: object) -> list[str]:
    """Nothing, or the complaint that says most."""
    name = name_for(value)
    if name is None:
        return [] if isinstance(value, dict) and "$schema" in value else ["an output that names no schema"]
    error = best_match(_validator(name).iter_errors(value))
    return [] if error is None else [f"{name}: {error.json_path}: {error.message[:300]}"]
