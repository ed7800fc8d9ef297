"""Reports of many at once: channel counts, two models, a folder of models."""
