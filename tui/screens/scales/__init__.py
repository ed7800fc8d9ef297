"""The per-channel scales of a layer."""
