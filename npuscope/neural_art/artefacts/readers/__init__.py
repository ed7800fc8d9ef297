"""One reader for each format that ST's tools write."""
