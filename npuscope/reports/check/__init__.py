"""The readable report of `check`."""
