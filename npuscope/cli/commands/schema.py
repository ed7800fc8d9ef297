"""Print the JSON Schema of an output.

What `--json` prints names its schema: "schema": "npuscope.check/1" is `npuscope schema check`. Keys may be added to an
output from one version to the next; none is renamed, and none that a schema requires is dropped.

Examples:
  npuscope schema                              lists them
  npuscope schema check > check.schema.json
"""

from __future__ import annotations

import argparse

from npuscope.cli.common import DONE
from npuscope.cli.console import print_text


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="such as check or plan; without it, all are listed"
    )


def run(options: argparse.Namespace) -> int:
    """Print a schema, or the names of all. Raises ModelError."""
    from npuscope.reports.schemas.catalogue import names, schema, text_of

    if options.name is not None:
        print_text(text_of(options.name.removeprefix("npuscope.").removesuffix("/1")))
        return DONE
    width = max(map(len, names()))
    print_text("\n".join(f"{name:{width}}  {schema(name)['description']}" for name in names()))
    return DONE
