"""Plans by name: experiments as data. A plan is one of the classes here with its fields, or a TOML file that says so."""

from __future__ import annotations

from .base import Plan
from .cell import CellPlan
from .corners import Corners
from .energy import Energy
from .fi import FICurve
from .groups import GROUPS
from .jitter import Jitter
from .membrane_noise import MembraneNoise
from .mismatch import Mismatch
from .oscillator import Oscillator
from .phase_noise import PhaseNoise
from .quantization import Quantization
from .ramp import Ramp
from .registry import KINDS, load_plans, make_plan
from .reset import Reset
from .saturation import Saturation
from .synapse import Synapse
from .thermal import Thermal
from .transfer import Transfer

__all__ = [
    "GROUPS",
    "KINDS",
    "CellPlan",
    "Corners",
    "Energy",
    "FICurve",
    "Jitter",
    "MembraneNoise",
    "Mismatch",
    "Oscillator",
    "PhaseNoise",
    "Plan",
    "Quantization",
    "Ramp",
    "Reset",
    "Saturation",
    "Synapse",
    "Thermal",
    "Transfer",
    "load_plans",
    "make_plan",
]
