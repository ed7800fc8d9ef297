"""What speaks of the selection."""
