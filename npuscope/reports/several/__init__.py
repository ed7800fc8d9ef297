"""Reports of many at once: channel counts, two models compared or verified, a folder of models."""
