"""What the application does with its document: each controller one kind of thing."""
