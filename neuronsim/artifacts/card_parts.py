"""The parts of which model cards are made."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from ..schema import Part
from ..statistics.estimate import Estimate


class Range(Part):
    """A closed interval within which the card was characterized."""

    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        return self


def _check(name: str, value: float, low: float, high: float, what: str) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} = {value:g} is out of range [{low:g}, {high:g}]: {what}")


class Kernel(Part):
    """The deterministic synaptic kernel and threshold of a TTFS neuron."""

    tau_s: Estimate = Field(description="time constant of the exponential in equation 4, in seconds")
    second_pole_ratio: Estimate | None = Field(
        description="r = w_lf * tau; null: not resolved by the data, ideal kernel"
    )
    delay_s: Estimate = Field(description="added to every output spike time")
    ramp_per_tau: Estimate = Field(description="threshold ramp, in thresholds per tau")
    xor_limit_weight: Estimate | None = Field(
        description="largest phase error, in unit weights, within the linear range of the detector; null: not characterized"
    )

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        _check("kernel.tau_s", self.tau_s.value, 1e-15, 1e3, "time constant in seconds")
        _check("kernel.delay_s", self.delay_s.value / self.tau_s.value, -10, 10, "delay in units of tau")
        _check("kernel.ramp_per_tau", self.ramp_per_tau.value, -1, 10, "thresholds per tau")
        if self.second_pole_ratio is not None:
            _check("kernel.second_pole_ratio", self.second_pole_ratio.value, 4, 1e9, "below 4 the loop rings")
        if self.xor_limit_weight is not None:
            _check("kernel.xor_limit_weight", self.xor_limit_weight.value, 1e-6, 1e9, "must be positive")
        return self


class WeightResponse(Part):
    """Effective weight = gain * w; relative frozen error per synapse ``mismatch_sigma`` (one draw per chip)."""

    gain: Estimate = Field(description="effective weight per programmed weight")
    mismatch_sigma: Estimate = Field(description="relative frozen error of a synapse, one standard deviation")

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        _check("weights.gain", self.gain.value, 1e-3, 1e3, "effective weight per programmed weight")
        _check("weights.mismatch_sigma", self.mismatch_sigma.value, 0, 1, "a fraction, not percent")
        return self


def variance_v(
    late: Any, *, sigma_v: float, diffusion_v: float, loop_v: float, expm1: Callable[[Any], Any] = np.expm1
) -> Any:
    """V = sigma_v^2 + diffusion_v^2 t + loop_v^2 (t - 1 + e^{-t}) in thresholds squared, t = ``late`` in tau.

    ``late``: array or tensor; ``expm1`` of its library.
    """
    return sigma_v**2 + diffusion_v**2 * late + loop_v**2 * (late + expm1(-late))


class TimingNoise(Part):
    """Temporal noise: one draw per spike. sigma_t^2 = V/v'(t)^2 + floor^2, V as :meth:`variance_v`."""

    sigma_v: Estimate = Field(description="rms noise at the threshold comparison, in thresholds")
    diffusion_v: Estimate = Field(description="accumulated oscillator phase noise, in thresholds per sqrt(tau)")
    floor_s: Estimate = Field(
        description="rms of what the model leaves unexplained in noise-free runs (with the sampling error), in seconds"
    )
    loop_v: Estimate | None = Field(
        default=None,
        description="phase noise of the oscillators inside the loop, in thresholds per sqrt(tau); null: none is known of",
    )
    resolution_s: Estimate | None = Field(
        default=None,
        description="period of the clock that samples the output; null: output times lie on no grid that the data show",
    )

    def variance_v(self, late: Any, *, expm1: Callable[[Any], Any] = np.expm1) -> Any:
        """Variance of the membrane potential in thresholds squared, ``late`` tau after the release of reset.

        ``late``: array or tensor; ``expm1`` of its library.
        """
        loop_v = 0.0 if self.loop_v is None else self.loop_v.value
        return variance_v(
            late, sigma_v=self.sigma_v.value, diffusion_v=self.diffusion_v.value, loop_v=loop_v, expm1=expm1
        )

    @property
    def rest_s(self) -> float:
        """rms of the part of ``floor_s`` that is not the uniform sampling error, in seconds."""
        sampled = 0.0 if self.resolution_s is None else self.resolution_s.value
        return math.sqrt(max(self.floor_s.value**2 - sampled**2 / 12.0, 0.0))

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        if self.resolution_s is not None:
            _check("timing_noise.resolution_s", self.resolution_s.value, 1e-18, 1e3, "seconds")
        _check("timing_noise.sigma_v", self.sigma_v.value, 0, 1, "a fraction of the threshold")
        _check("timing_noise.diffusion_v", self.diffusion_v.value, 0, 1, "a fraction of the threshold per sqrt(tau)")
        if self.loop_v is not None:
            _check("timing_noise.loop_v", self.loop_v.value, 0, 10, "thresholds per sqrt(tau)")
        _check("timing_noise.floor_s", self.floor_s.value, 0, 1e3, "seconds")
        return self


class Frozen(Part):
    """Neuron-to-neuron spread, drawn once per chip: relative gain and absolute ramp, both Gaussian."""

    gain_sigma: Estimate = Field(
        description="relative spread of the gain from neuron to neuron, one standard deviation"
    )
    ramp_sigma_per_tau: Estimate = Field(description="spread of the threshold ramp, in thresholds per tau")

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        _check("frozen.gain_sigma", self.gain_sigma.value, 0, 1, "a fraction, not percent")
        _check("frozen.ramp_sigma_per_tau", self.ramp_sigma_per_tau.value, 0, 1, "thresholds per tau")
        return self


class Energy(Part):
    """Energy drawn from the supplies named in the manifest."""

    per_spike_j: Estimate = Field(description="drawn for a spike on top of static_w, in joules")
    static_w: Estimate = Field(description="drawn whether it spikes or not, in watts")


class Quality(Part):
    """How well the card predicts runs that were not used in the fit."""

    n_fit: int = Field(ge=1)
    n_held_out: int = Field(ge=1)
    median_error: float = Field(
        ge=0, description="held-out |t_card - t_circuit| / t_circuit (rates: |f| likewise), a fraction"
    )
    p95_error: float = Field(ge=0)
    spike_agreement: float = Field(
        ge=0, le=1, description="fraction of held-out runs with the right spike/no-spike outcome"
    )
    n_compared: int | None = Field(
        default=None, ge=1, description="held-out runs in which both fire; the errors are over these"
    )
    bias: float | None = Field(
        default=None,
        description="mean of t_card / t_circuit - 1 over them (rates: f likewise), each clipped to +-p95_error",
    )
    spread: float | None = Field(default=None, ge=0, description="standard deviation of the same")
    median_over_target: float | None = Field(
        default=None,
        ge=0,
        description="median of |t_card - t_circuit| / max(1 % of t_circuit, resolution_s / 2); the target is at most 1",
    )
    p95_over_target: float | None = Field(
        default=None,
        ge=0,
        description="95th percentile of |t_card - t_circuit| / max(3 % of t_circuit, resolution_s); the target is at most 1",
    )
    coverage: Estimate | None = Field(
        default=None,
        description="fraction of held-out runs within the predicted 90 % interval; interval: Wilson's, with the number of "
        "runs reduced where repeats of one stimulus fall in or out together",
    )
    n_coverage: int | None = Field(default=None, ge=1, description="runs behind coverage")
    sigma_over_predicted: Estimate | None = Field(
        default=None,
        description="spread of the membrane in held-out noisy runs, over the predicted one; the target is 1 +- 0.1",
    )
    coverage_of: Literal["noisy", "noise_free"] | None = Field(
        default=None,
        description="noisy: held-out stimuli under temporal noise; noise_free: the data have no noise, the interval is of "
        "what the model leaves unexplained",
    )
    isi_jitter_error: float | None = Field(
        default=None,
        ge=0,
        description="median over held-out currents of |sigma_card / sigma_circuit - 1| of the inter-spike interval under noise",
    )
    n_isi_jitter: int | None = Field(default=None, ge=1, description="held-out currents behind isi_jitter_error")
    isi_jitter_floor: float | None = Field(
        default=None,
        ge=0,
        description="spread of the interval without noise over that with noise, the largest over currents: the simulator's part",
    )
    threshold_mismatch_error: float | None = Field(
        default=None,
        ge=0,
        description="median of |f_card / f_circuit - 1| of mismatched chips at held-out currents, each with its fitted scale",
    )


class Provenance(Part):
    """Where the card came from; enough to make it again."""

    dataset_digest: str = Field(description="content digest of the dataset")
    netlist_sha256: str
    engine: str
    engine_version: str
    manifest: str = Field(
        default="", description="neuron that comes with neuronsim, or path of the manifest; empty: not recorded"
    )
    plans: dict[str, Any] = Field(description="the plans, as their TOML would read")
    parameters: dict[str, float] = Field(description="netlist parameters, SI units")
    seed: int
    versions: dict[str, str]
    calibration: dict[str, float] = Field(
        default_factory=dict, description="options of calibrate: held_out, seed, confidence"
    )
