"""Write the corpus: python -m corpus FOLDER (from tests/)."""

from __future__ import annotations

import sys
from pathlib import Path

from corpus import contradictions, formats, graphs, more_nodes, nodes, wiring


def main(folder: Path) -> None:
    """One folder for each input, and expectations.tsv."""
    rows = []
    for number, case in enumerate(
        (
            *formats.cases(),
            *nodes.cases(),
            *more_nodes.cases(),
            *graphs.cases(),
            *wiring.cases(),
            *contradictions.cases(),
        )
    ):
        place = folder / f"{number:03}"
        place.mkdir(parents=True, exist_ok=True)
        rows.append(f"{case.write(place)}\t{case.name}\t{case.expected}\n")
    (folder / "expectations.tsv").write_text("".join(rows), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
