"""The epochs, one after the other: where the time goes, and where the NPU hands over to the CPU."""
