"""The most decibels within a time, and the edits that repair accuracy."""
