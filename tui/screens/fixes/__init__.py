"""Every edit that helps a layer, best first, each with what it brings and what it does to the numbers."""
