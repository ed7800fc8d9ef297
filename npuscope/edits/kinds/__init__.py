"""The kinds of edits, one in each file."""
