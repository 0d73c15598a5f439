"""The bench: runs netlists in ngspice, measures, sweeps."""

from typing import TYPE_CHECKING

from neuronsim.lazy import loader

from .campaign.engines import ENGINES
from .characterize import characterize
from .deck.operating_point import NOMINAL, Chip, OperatingPoint, grid
from .neuron.manifest import Manifest, load_manifest, neurons
from .plans import KINDS
from .plans.base import Plan
from .plans.groups import GROUPS
from .plans.registry import load_plans, make_plan

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

#: loaded on first use: they need the models of a card, which take a second to load and which a campaign does not use
__getattr__ = loader(__name__, {"compare": "comparison", "verify": "verification"})


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
