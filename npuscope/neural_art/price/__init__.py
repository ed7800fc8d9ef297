"""Cycles, traffic, time and energy of a layer, and what bounds it."""
