"""What a planner finds for one layer, and what of it holds for the next one and for another search."""
