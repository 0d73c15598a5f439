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

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from .artifacts.base import _Part
from .errors import DataError, InputError
from .files import sha256_of, write_text

SCHEMA_VERSION = 1
UNSIGNED = "unsigned"
#: optional fields added after the first cards were written: absent from the digest while empty, so that old cards keep theirs
_ADDED = {
    "timing_noise": ("resolution_s", "loop_v"),
    "quality": (
        "n_compared",
        "bias",
        "spread",
        "median_over_target",
        "p95_over_target",
        "coverage",
        "n_coverage",
        "sigma_over_predicted",
        "coverage_of",
        "isi_jitter_error",
        "n_isi_jitter",
        "isi_jitter_floor",
        "threshold_mismatch_error",
    ),
    "provenance": ("manifest",),
}


class Estimate(_Part):
    """A calibrated value with its 95 % confidence interval [low, high], all in the unit of the field's name."""

    value: float
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"value {self.value:g} lies outside its interval [{self.low:g}, {self.high:g}]")
        return self

    @classmethod
    def exact(cls, value: float) -> Estimate:
        """An estimate without uncertainty (a design value)."""
        return cls(value=value, low=value, high=value)


class Range(_Part):
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


class Kernel(_Part):
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


class WeightResponse(_Part):
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


class TimingNoise(_Part):
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


class Frozen(_Part):
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


class Energy(_Part):
    """Energy drawn from the supplies named in the manifest."""

    per_spike_j: Estimate = Field(description="drawn for a spike on top of static_w, in joules")
    static_w: Estimate = Field(description="drawn whether it spikes or not, in watts")


class Quality(_Part):
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


class Provenance(_Part):
    """Where the card came from; enough to make it again."""

    dataset_sha256: str
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


class ModelCard(_Part):
    """Base of all cards. Use :meth:`load` to read either kind.

    Raises (load): DataError when the file is not a card, has another schema version, an unknown or missing field, a
    value out of range, or a content that does not match its digest.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    neuron: str
    not_fitted: dict[str, str] = Field(description="what the data could not support, and why")
    quality: Quality
    provenance: Provenance
    digest: str = ""

    _adapter: ClassVar[TypeAdapter | None] = None

    def content_digest(self) -> str:
        """SHA-256 over everything but the digest itself."""
        content = self.model_dump(mode="json", exclude={"digest"})
        for part, names in _ADDED.items():
            for name in names:
                if content.get(part, {}).get(name, "") in (None, ""):
                    content.get(part, {}).pop(name, None)
        return sha256_of(json.dumps(content, sort_keys=True))

    def signed(self) -> Self:
        """The same card with a digest that matches its content."""
        return self.model_copy(update={"digest": self.content_digest()})

    @property
    def edited(self) -> bool:
        """True when a person took responsibility for the values by setting ``digest`` to "unsigned"."""
        return self.digest == UNSIGNED

    def save(self, path: Path | str) -> Path:
        """Write the card as JSON, whole or not at all."""
        card = self if self.edited else self.signed()
        return write_text(path, card.model_dump_json(indent=2) + "\n")

    @staticmethod
    def load(path: Path | str) -> TTFSCard | RateCard:
        """Read and check a card of either kind."""
        path = Path(path)
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"no card at {path}: make one with 'neuronsim calibrate DATASET --out {path}'") from None
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise DataError(f"{path} is not a readable card ({error}): calibrate again") from None
        if not isinstance(raw, dict) or "schema_version" not in raw:
            raise DataError(f"{path} is not a model card: it has no schema_version")
        if raw["schema_version"] != SCHEMA_VERSION:
            raise DataError(
                f"{path} has schema_version {raw['schema_version']!r}, this neuronsim reads {SCHEMA_VERSION}: "
                "calibrate the dataset again with this version"
            )
        try:
            card = card_adapter().validate_python(raw)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"] if part not in ("ttfs", "rate"))
            raise DataError(f"{path}: field '{where}': {first['msg']} (got {first.get('input')!r:.80})") from None
        if not card.edited and card.digest != card.content_digest():
            raise DataError(
                f"{path} was changed after it was calibrated: its content does not match its digest. "
                f'To use an edited card on purpose, set "digest": "{UNSIGNED}" in it; reports will then say so.'
            )
        return card


class TTFSCard(ModelCard):
    """The card of a neuron that fires once per inference (time to first spike). See the module for its equation."""

    code: Literal["ttfs"] = "ttfs"
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


class RateCard(ModelCard):
    """The card of a neuron that codes by its rate.

        f(I) = 1 / (t_ref + (Q / I_rh) ln(I / (I - I_rh))) for I > I_rh, else 0;  I_rh -> 0 gives 1 / (t_ref + Q / I)

    with Q = C V_th the charge per spike, I_rh = V_th / R the rheobase and t_ref the refractory time.
    """

    code: Literal["rate"] = "rate"
    charge_per_spike_c: Estimate = Field(description="C V_th, in coulombs")
    rheobase_a: Estimate = Field(description="0 for a neuron without leak")
    refractory_s: Estimate = Field(description="dead time after a spike, in seconds")
    isi_jitter: Estimate = Field(
        description="coefficient of variation of the inter-spike interval at the reference current, the geometric mean of "
        "valid_current_a above the rheobase; white membrane noise gives that at other currents (neuronsim.interval_noise)"
    )
    threshold_mismatch: Estimate = Field(
        description="relative spread of the charge per spike (threshold and capacitor), one draw per chip"
    )
    energy: Energy | None
    valid_current_a: Range

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        _check("charge_per_spike_c", self.charge_per_spike_c.value, 1e-21, 1e3, "coulombs")
        _check("rheobase_a", self.rheobase_a.value, 0, 1e3, "amperes")
        _check("refractory_s", self.refractory_s.value, 0, 1e3, "seconds")
        _check("isi_jitter", self.isi_jitter.value, 0, 1, "a fraction, not percent")
        _check("threshold_mismatch", self.threshold_mismatch.value, 0, 1, "a fraction, not percent")
        return self


def card_adapter() -> TypeAdapter:
    """Validator of either kind of card, chosen by its ``code``."""
    return TypeAdapter(Annotated[TTFSCard | RateCard, Field(discriminator="code")])


def card_schema() -> dict[str, Any]:
    """JSON Schema of the card file."""
    return card_adapter().json_schema()
