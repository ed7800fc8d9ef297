"""What ST's tools write, read into common values."""
