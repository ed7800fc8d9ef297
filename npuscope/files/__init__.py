"""Files that npuscope keeps or writes: recipes, journals, models; whole or not at all."""
