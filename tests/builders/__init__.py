"""Small models and texts that tests are made of."""
