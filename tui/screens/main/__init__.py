"""The screen below all others: tree, panes, search."""
