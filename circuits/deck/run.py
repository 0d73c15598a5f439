"""One row of a campaign before it is simulated: the stimulus, the circuit's parameters, and what it belongs to."""

from dataclasses import dataclass, field
from typing import Self

from .operating_point import NOMINAL, OperatingPoint


@dataclass(frozen=True, kw_only=True)
class SpikeStimulus:
    """Input spikes of a neuron that fires once, all of shape (inputs,).

    ``times_s`` (inf: silent) and ``weights`` are what the circuit gets, ``nominal_*`` what was meant (they differ in jitter and
    quantization plans; left out: the same). ``weight_errors``: relative mismatch of the synapses (left out: none), hidden from
    the dataset's ``weight`` as it is from a network.
    """

    times_s: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    nominal_times_s: tuple[float, ...] = ()
    nominal_weights: tuple[float, ...] = ()
    weight_errors: tuple[float, ...] = ()

    def silent(self) -> Self:
        """No inputs."""
        return type(self)()


@dataclass(frozen=True, kw_only=True)
class CurrentStimulus:
    """Constant current (A) into a rate neuron."""

    current_a: float

    def silent(self) -> Self:
        """No current."""
        return type(self)(current_a=0.0)


@dataclass(frozen=True, kw_only=True)
class NoiseDraw:
    """Noise drawn from ``seed``, sampled every ``step_s`` seconds (None: a fixed part of the time unit)."""

    seed: int
    step_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class SecondRound:
    """A second reset: it is high for ``reset_s`` and falls at ``at_s``, and all inputs come again as long after that as after
    time zero."""

    at_s: float
    reset_s: float


@dataclass(frozen=True, kw_only=True)
class Run:
    """A single SPICE run of ``window_s`` seconds.

    ``level``: the swept quantity of the plan, if any. ``chip``: number of the draw that ``parameters`` and weight errors are
    of, where a plan draws them; a chip drawn transistor by transistor is part of ``operating`` (corner, temperature, supply,
    chip). ``fine``: sign-off accuracy, half the time step and a tenth of the tolerance. ``trim``: on a chip, its trims come
    first, where the manifest has [[trim]] (neuronsim.circuits.campaign.trimming).
    """

    plan: str
    trial: int
    window_s: float
    stimulus: SpikeStimulus | CurrentStimulus = SpikeStimulus()
    level: float | None = None
    chip: int | None = None
    noise: NoiseDraw | None = None
    again: SecondRound | None = None
    parameters: dict[str, float] = field(default_factory=dict)
    operating: OperatingPoint = NOMINAL
    fine: bool = False
    trim: bool = True

    @property
    def spikes(self) -> SpikeStimulus:
        """The input spikes; none of a rate neuron."""
        return self.stimulus if isinstance(self.stimulus, SpikeStimulus) else SpikeStimulus()
