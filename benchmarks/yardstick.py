"""The speed of the machine itself: a machine that takes 1.3 times as long for this takes about 1.3 times as long for all else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WORK = """
import sys, time, onnx
start = time.process_time()
onnx.shape_inference.infer_shapes(onnx.load(sys.argv[1]))
print(time.process_time() - start)
"""


def yardstick_seconds(path: Path) -> float:
    """CPU time of onnx alone to read a model and infer its shapes, in a process of its own."""
    command = [sys.executable, "-c", WORK, str(path)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
