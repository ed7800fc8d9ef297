"""What leaves the program: models, reports, graphs."""
