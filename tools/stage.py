"""Link the mounted folders under one name, for tools that read files rather than import them."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STAGE = ROOT / "build" / "stage"


def main() -> None:
    mounts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"]
    base = STAGE / "npuscope"
    base.mkdir(parents=True, exist_ok=True)
    wanted = {base / p.name: p for p in (ROOT / "npuscope").iterdir() if p.name != "__pycache__"}
    wanted |= {
        STAGE.joinpath(*name.split(".")): ROOT / folder for name, folder in mounts.items() if "." in name
    }
    for old in base.iterdir():
        if old not in wanted or old.resolve() != wanted[old].resolve():
            old.unlink()
    for link, target in wanted.items():
        if not link.is_symlink():
            link.symlink_to(target)


if __name__ == "__main__":
    main()
