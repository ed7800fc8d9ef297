"""A plan for the whole model: edits found by a search, ticked or not, made together."""
