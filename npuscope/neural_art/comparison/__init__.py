"""The prediction held against what ST's tools printed."""
