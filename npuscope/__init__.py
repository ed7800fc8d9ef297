"""npuscope: what an NPU compiler will make of a quantized ONNX model, and how to fix it.

>>> import npuscope
>>> snapshot = npuscope.analyse(npuscope.open("sample_models/denoiser_lstm_int8.onnx", toolchain="2.1"))
>>> [layer.name for layer in snapshot.off_npu]
['Conv2D_23', 'Gemm_28', 'Conv2D_79']
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from npuscope.api import (
        ModelError,
        Plan,
        Session,
        Snapshot,
        analyse,
        apply,
        compare,
        export,
        open,  # noqa: A004
        plan,
        verify,
    )

__all__ = [
    "ModelError",
    "Plan",
    "Session",
    "Snapshot",
    "analyse",
    "apply",
    "compare",
    "export",
    "open",
    "plan",
    "verify",
]


def __getattr__(name: str) -> Any:
    """The names of `npuscope.api`, loaded when one is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'npuscope' has no attribute {name!r}")
    from npuscope import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted((*__all__, "__version__"))
