"""Fixes as values: what an edit is, the registry of kinds, and many edits in a row."""
