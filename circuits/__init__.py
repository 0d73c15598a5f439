"""The bench: runs netlists in ngspice, measures, sweeps."""

from .campaign import ENGINES
from .characterize import characterize
from .manifest import Manifest, load_manifest, neurons
from .operating import NOMINAL, Chip, OperatingPoint, grid
from .plans import GROUPS, KINDS, Plan, load_plans, make_plan

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
    "grid",
    "load_manifest",
    "load_plans",
    "make_plan",
    "neurons",
]
