"""Model cards: what a circuit showed, in the form in which a network uses it.

A card is a JSON file with a schema version and a digest over its content. It is written by
:func:`neuronsim.calibrate` and read by ``training``. Every number that a person could edit either
changes the network's behaviour or belongs to the provenance; a card whose content no longer matches its digest is
refused, so an edit is never silently ignored.

The neuron of a TTFS card, in units of tau (t counted from the release of reset):

    v(t)   = gain * sum_{i: t_i < t} w_i g(t - t_i),     fires at the first t with v(t) >= 1 + ramp * t
    g(t)   = 1 - e^{-t}                                                              (second_pole_ratio is None)
    g(t)   = (1 - 1/r)/(r - 2) * [(r - 1)(1 - e^{-t}) - (1 - e^{-(r-1)t})/(r - 1)]   (r = second_pole_ratio = w_lf tau)
    t_out  = t + delay - ln(1 - n / v'(t)) + e,   n = sqrt(V) * N(0, 1)
    V      = sigma_v^2 + diffusion_v^2 t + loop_v^2 (t - 1 + e^{-t})
    e      = floor * N(0, 1)                                                         (resolution is None)
    e      = resolution * U(-1/2, 1/2) + sqrt(floor^2 - resolution^2/12) * N(0, 1)   (sampled output)
    sigma_t^2 = V / v'(t)^2 + floor^2                                                (first order in n)

g is the time integral of the error response of the type-I loop K / (s^2/w_lf + s + K) with the pole-calibrated
gain K = (1 - 1/r)/tau, normalized to g(inf) = 1 (paper 004, equations 1 to 3, for r -> inf). v' is the slope of v relative to the
threshold, dv/dt - ramp. The logarithm is the exact shift of the
crossing when the threshold moves by n; where n >= v' the membrane levels off below it and the neuron stays silent.
diffusion_v is white frequency noise of the oscillators that are compared (VCO3, VCO4). loop_v is that of
the oscillators of the loop (VCO1, VCO2), which the loop takes back: the phase error is de = -e dt + loop_v dW, stationary at
t = 0, and the membrane gets its integral. A flip-flop that samples the comparison gives its output at clock edges only: the
error is uniform within one ``resolution``.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..errors import InputError
from ..statistics.estimate import Estimate
from .base import UNSIGNED
from .card_base import ModelCard
from .card_parts import Energy, Frozen, Kernel, Range, TimingNoise, WeightResponse, _check


class TTFSCard(ModelCard):
    """The card of a neuron that fires once per inference (time to first spike). See the module for its equation."""

    code: ClassVar[str] = "ttfs"

    kind: Literal["ttfs_card"] = "ttfs_card"
    kernel: Kernel
    weights: WeightResponse
    timing_noise: TimingNoise
    frozen: Frozen
    missing_probability: Estimate = Field(description="probability that a spike which is due does not come")
    energy: Energy | None = Field(description="null: a behavioral netlist draws no supply current")
    valid_inputs: Range = Field(description="number of inputs per run in the data")
    valid_weight: Range
    valid_time_tau: Range = Field(description="input times in the data, in tau")

    @model_validator(mode="after")
    def _probability(self) -> Self:
        _check("missing_probability", self.missing_probability.value, 0, 1, "a probability")
        return self

    def scaled_noise(self, factor: float) -> TTFSCard:
        """A copy with its temporal noise multiplied by ``factor`` (>= 0), marked unsigned. Frozen spread is untouched."""
        if not (math.isfinite(factor) and factor >= 0):
            raise InputError(f"noise scale must be a finite number >= 0, got {factor}")

        def scale(e: Estimate) -> Estimate:
            return Estimate(value=e.value * factor, low=e.low * factor, high=e.high * factor)

        noise = self.timing_noise
        scaled = TimingNoise.model_construct(
            sigma_v=scale(noise.sigma_v),
            diffusion_v=scale(noise.diffusion_v),
            floor_s=scale(noise.floor_s),
            resolution_s=None if noise.resolution_s is None or factor == 0 else scale(noise.resolution_s),
            loop_v=None if noise.loop_v is None else scale(noise.loop_v),
        )
        return self.model_copy(update={"timing_noise": scaled, "digest": UNSIGNED})
