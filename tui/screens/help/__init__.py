"""Keys, signs and words."""
