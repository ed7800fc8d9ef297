"""Which file? A path to type, and what lies in its folder."""
