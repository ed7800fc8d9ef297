"""A rule in full: what it checks, why, what to do, where that is known from."""
