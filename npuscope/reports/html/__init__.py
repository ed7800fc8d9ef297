"""The report of `check` as one HTML file that needs nothing from elsewhere."""
