"""Boards: data files, one each, with a source for every number."""
