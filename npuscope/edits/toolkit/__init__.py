"""Building blocks of edits: new nodes, rewiring, ranges, padding, regions."""
