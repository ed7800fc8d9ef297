"""Fuzzers without an end: python tools/fuzz.py [NAME...] [--seconds 600] [--cases N] [--seed 0] [--only NUMBER].

Each case is made of NAME, the seed and its number, so that one can be run again by itself. A case fails where it raises
anything, takes more than 60 s, or raises the peak of the process above 1.5 GB; the file it was made of is kept in
fuzz-found/. Keys have a fuzzer of their own: tools/fuzz_keys.py.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

LONGEST = 60
MOST_BYTES = 1500 << 20


def main() -> int:
    """Run the fuzzers in turns."""
    os.environ["NPUSCOPE_DEBUG"] = "1"  # errors of ours come through
    from builders.fuzzing import TARGETS

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", choices=[*TARGETS, []], metavar="NAME", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=600.0, help="time in all (default 600)")
    parser.add_argument(
        "--cases", type=int, default=1 << 60, help="cases of each (default as many as time allows)"
    )
    parser.add_argument("--seed", default="0", help="another one gives other cases (default 0)")
    parser.add_argument("--only", type=int, help="the one case of this number")
    options = parser.parse_args()
    names = options.names or list(TARGETS)
    signal.signal(signal.SIGALRM, _late)
    start, failed, numbers = time.monotonic(), 0, [options.only] if options.only is not None else None
    counts = dict.fromkeys(names, 0)
    slowest = dict.fromkeys(names, (0.0, 0))
    for number in numbers or range(options.cases):
        for name in names:
            began = time.monotonic()
            failed += not _case(name, options.seed, number, options.only is not None)
            counts[name] += 1
            slowest[name] = max(slowest[name], (time.monotonic() - began, number))
        if time.monotonic() - start > options.seconds:
            break
    for name in names:
        took, number = slowest[name]
        print(f"{name}: {counts[name]} cases, the slowest {took:.1f} s (number {number})")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{failed} failed; peak {peak} MB; {time.monotonic() - start:.0f} s; seed {options.seed}")
    return 1 if failed else 0


def _late(*_: object) -> None:
    raise TimeoutError(f"more than {LONGEST} s")


def _case(name: str, seed: str, number: int, keep: bool) -> bool:
    from builders.fuzzing import TARGETS

    with tempfile.TemporaryDirectory() as folder:
        signal.alarm(LONGEST)
        try:
            TARGETS[name](Random(f"{name} {seed} {number}"), Path(folder))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
            if peak > MOST_BYTES:
                raise MemoryError(f"a peak of {peak >> 20} MB")
        except BaseException as error:
            signal.alarm(0)
            print(f"{name} --seed {seed} --only {number}", flush=True)
            traceback.print_exc()
            path = ROOT / "fuzz-found" / f"{name}-{seed}-{number}"
            shutil.copytree(folder, path, dirs_exist_ok=True)
            if isinstance(error, (KeyboardInterrupt, MemoryError)):
                raise SystemExit(1) from error
            return False
        finally:
            signal.alarm(0)
        if keep:
            shutil.copytree(folder, ROOT / "fuzz-found" / f"{name}-{seed}-{number}", dirs_exist_ok=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
