"""Cut here."""
