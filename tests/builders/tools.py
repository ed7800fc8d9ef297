"""The programs of tools/, loaded as modules: they are not part of the package."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from types import ModuleType

from builders.models import ROOT

TOOLS = ROOT / "tools"


@cache
def tool(name: str) -> ModuleType:
    """tools/NAME.py, which may import another one."""
    if str(TOOLS) not in sys.path:
        sys.path.append(str(TOOLS))
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
