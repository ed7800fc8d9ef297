"""The edits made so far."""
