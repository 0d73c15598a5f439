"""The bench: runs netlists in ngspice, measures, sweeps."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .campaign import ENGINES
from .characterize import characterize
from .manifest import Manifest, load_manifest, neurons
from .operating import NOMINAL, Chip, OperatingPoint, grid
from .plans import GROUPS, KINDS, Plan, load_plans, make_plan

if TYPE_CHECKING:
    from .comparison import compare
    from .verification import verify

__all__ = [
    "ENGINES",
    "GROUPS",
    "KINDS",
    "NOMINAL",
    "Chip",
    "Manifest",
    "OperatingPoint",
    "Plan",
    "characterize",
    "compare",
    "grid",
    "load_manifest",
    "load_plans",
    "make_plan",
    "neurons",
    "verify",
]

#: loaded on first use: they need the models of a card, a second that a campaign would wait for in vain
_HOME = {"compare": "comparison", "verify": "verification"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'circuits' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
