"""The edits of the whole model, each with the verdict it would give."""
