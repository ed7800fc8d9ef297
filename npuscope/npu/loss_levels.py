"""From which loss on a layer is set off. A file of its own: what is shown first needs no onnxruntime."""

from __future__ import annotations

BAD, POOR = 15.0, 25.0
"""dB of a layer's own below which it is set off, loudly and quietly."""
