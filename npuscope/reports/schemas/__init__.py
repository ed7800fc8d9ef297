"""The JSON this program writes, as JSON Schemas: a file for each contract."""
