"""One row of a campaign before it is simulated: the stimulus, the circuit's parameters, and what it belongs to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .operating_point import NOMINAL, OperatingPoint


@dataclass(frozen=True, kw_only=True)
class Run:
    """A single SPICE run.

    ``times_s`` and ``weights`` are what the circuit gets, ``nominal_*`` what was meant (they differ in jitter and
    quantization plans). ``weight_errors`` are relative mismatch of the synapses, hidden from the dataset's ``weight``
    as they are from a network. ``noise_seed`` -1: no noise. ``chip`` -1: no mismatch. ``operating``: corner,
    temperature, supply and drawn chip. ``fine``: sign-off accuracy, half the time step and a tenth of the tolerance.
    ``noise_step_s``: distance of the noise samples, NaN: a fixed part of the time unit. ``again_s``: the reset, high for
    ``reset_s`` before, falls a second time then, and all inputs come again as long after it as after time zero; NaN: once only.
    ``trim``: on a chip, its trims are found first, where the manifest has [[trim]] (neuronsim.circuits.campaign.trimming).
    """

    plan: str
    trial: int
    window_s: float
    level: float = math.nan
    chip: int = -1
    noise_seed: int = -1
    times_s: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    nominal_times_s: tuple[float, ...] = ()
    nominal_weights: tuple[float, ...] = ()
    weight_errors: tuple[float, ...] = ()
    current_a: float = math.nan
    parameters: dict[str, float] = field(default_factory=dict)
    operating: OperatingPoint = NOMINAL
    fine: bool = False
    noise_step_s: float = math.nan
    again_s: float = math.nan
    reset_s: float = math.nan
    trim: bool = True
