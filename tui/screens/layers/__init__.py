"""All layers in a table, sorted by what one asks for."""
