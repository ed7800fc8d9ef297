"""Speed and memory figures: `python -m benchmarks` prints them against their targets."""
