"""Plans within a loss in decibels or within a time, and the edits that repair accuracy."""
