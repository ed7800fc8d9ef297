"""What the command line and the explorer both do."""
