"""The machine: accelerators, clocks, memory pools and tool versions, as data with sources."""
