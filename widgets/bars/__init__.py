"""Single lines: titles, keys, status, entry."""
