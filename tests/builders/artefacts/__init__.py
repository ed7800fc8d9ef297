"""What ST's tools write, in short, and what stands in for the tools."""
