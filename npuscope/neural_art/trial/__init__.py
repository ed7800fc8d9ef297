"""What a model takes with an edit made, from what is known of it without: only what differs is worked out."""
