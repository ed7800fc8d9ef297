"""Fixes as values: one edit = one file; history, calibration and verification."""
