"""Plans: experiments as data. A plan is one of the classes here with its fields, or a TOML file that says so."""

from .base import Plan
from .cells import Oscillator, Synapse, Thermal
from .constant_currents import FICurve
from .detector_sweeps import Ramp, Saturation
from .grid_plans import Corners, Energy, Reset
from .mismatch import Mismatch
from .table3 import Jitter, Quantization
from .temporal_noise import MembraneNoise, PhaseNoise
from .transfer import Transfer

_OF_NEURONS = (
    Transfer, Jitter, Quantization, Saturation, Ramp, PhaseNoise, Mismatch, FICurve, MembraneNoise, Corners, Reset, Energy,
)  # fmt: skip
_OF_CELLS = (Oscillator, Synapse, Thermal)
#: every plan by its name
KINDS: dict[str, type[Plan]] = {plan.kind: plan for plan in (*_OF_NEURONS, *_OF_CELLS)}
