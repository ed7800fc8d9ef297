"""The build screen."""
