"""The bench: runs netlists in ngspice, measures, sweeps."""

from .campaign import ENGINES
from .characterize import characterize
from .compare import compare
from .manifest import Manifest, load_manifest, neurons
from .operating import NOMINAL, Chip, OperatingPoint, grid
from .plans import GROUPS, KINDS, Plan, load_plans, make_plan
from .verify import verify

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
