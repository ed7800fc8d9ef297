"""What are the models run on? A path to samples, or random values."""
