"""Plans: experiments as data. A plan is one of the classes here with its fields, or a TOML file that says so."""

from .base import Plan
from .corners import Corners
from .energy import Energy
from .fi import FICurve
from .jitter import Jitter
from .membrane_noise import MembraneNoise
from .mismatch import Mismatch
from .oscillator import Oscillator
from .phase_noise import PhaseNoise
from .quantization import Quantization
from .ramp import Ramp
from .reset import Reset
from .saturation import Saturation
from .synapse import Synapse
from .thermal import Thermal
from .transfer import Transfer

_OF_NEURONS = (
    Transfer, Jitter, Quantization, Saturation, Ramp, PhaseNoise, Mismatch, FICurve, MembraneNoise, Corners, Reset, Energy,
)  # fmt: skip
_OF_CELLS = (Oscillator, Synapse, Thermal)
#: every plan by its name
KINDS: dict[str, type[Plan]] = {plan.kind: plan for plan in (*_OF_NEURONS, *_OF_CELLS)}
