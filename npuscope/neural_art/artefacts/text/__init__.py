"""Foreign text, made safe and clean to read."""
