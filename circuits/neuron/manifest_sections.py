"""The sections of a manifest, each checked by itself."""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from neuronsim.schema import Part


class Parameter(Part):
    """A number of the netlist or of the bench, in SI units, with its legal range and its mismatch.

    ``sigma`` is the standard deviation of one chip's value: relative to the default, or absolute (in ``unit``) when
    the default is 0.
    """

    default: float
    unit: str
    meaning: str
    above: float | None = None
    below: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    sigma: float = Field(default=0.0, ge=0)
    sigma_meaning: str = ""

    @model_validator(mode="after")
    def _default_is_legal(self) -> Self:
        problem = self.problem(self.default)
        if problem:
            raise ValueError(f"default {self.default:g} {problem}")
        return self

    def problem(self, value: float) -> str | None:
        """What is wrong with ``value``, or None."""
        if not math.isfinite(value):
            return "is not a finite number"
        for bound, bad, word in (
            (self.above, lambda b: value <= b, "must be above"),
            (self.minimum, lambda b: value < b, "must be at least"),
            (self.below, lambda b: value >= b, "must be below"),
            (self.maximum, lambda b: value > b, "must be at most"),
        ):
            if bound is not None and bad(bound):
                return f"{word} {bound:g} {self.unit}"
        return None


class Synapse(Part):
    """Subcircuit of one input: its ports, the parameter that holds the weight, and those it shares with the neuron.

    ``supply``: name of the voltage source inside it that feeds it at the first supply's voltage; its energy is counted.
    """

    subcircuit: str
    input: str
    output: str
    weight: str
    shares: tuple[str, ...] = ()
    supply: str | None = None


class Stimulus(Part):
    """How an input reaches the circuit.

    step: the line goes from low_v to high_v at the spike time and stays; pulse: it is high for ``width`` (name of a
    parameter), centered on the spike time; current: a constant current into ``port``. ``edge``: rise time in time units.
    ``high_v``: volts, or the name of a parameter that holds them (the supply). ``threshold``: a port that gets one such
    pulse right after time zero (centered one ``width`` later), for neurons whose threshold a replica of a synapse sets.
    """

    kind: Literal["step", "pulse", "current"]
    low_v: float = 0.0
    high_v: float | str = 1.0
    edge: float = Field(default=1e-3, gt=0, lt=1)
    width: str | None = None
    port: str | None = None
    reset: str | None = None
    threshold: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.kind == "pulse") != (self.width is not None):
            raise ValueError("'width' belongs to kind = \"pulse\" and only to it")
        if self.threshold is not None and self.kind != "pulse":
            raise ValueError("'threshold' belongs to kind = \"pulse\" and only to it")
        if (self.kind == "current") != (self.port is not None):
            raise ValueError("'port' belongs to kind = \"current\" and only to it")
        return self


class Spike(Part):
    """When the neuron counts as firing: ``node`` crosses ``level_v``, or the node ``reference``."""

    node: str
    level_v: float | None = None
    reference: str | None = None
    edge: Literal["rising", "falling"] = "rising"

    @model_validator(mode="after")
    def _one_level(self) -> Self:
        if (self.level_v is None) == (self.reference is None):
            raise ValueError("give either 'level_v' or 'reference', not both and not neither")
        return self


class Time(Part):
    """Time scale of the runs: ``unit`` names a parameter in seconds; steps per unit and, with a carrier, per cycle.

    ``lead_in``: units simulated before time zero with the reset port high, for circuits that must settle (lock) first.
    """

    unit: str
    lead_in: float = Field(default=0.0, ge=0, le=1000)
    steps_per_unit: float = Field(default=50, gt=1)
    carrier: str | None = None
    steps_per_cycle: float | None = Field(default=None, gt=1)

    @model_validator(mode="after")
    def _carrier_complete(self) -> Self:
        if (self.carrier is None) != (self.steps_per_cycle is None):
            raise ValueError("'carrier' and 'steps_per_cycle' go together")
        return self


class PhaseNoise(Part):
    """White frequency noise of VCO3 and VCO4 at ``port``, computed from three parameters (see
    neuronsim.circuits.deck.white_noise)."""

    port: str
    carrier: str
    kappa: str
    lead: str


class CurrentNoise(Part):
    """White current noise into ``port``, or independent noise into each of several.

    ``density`` names a parameter: square root of the one-sided power spectral density, in A/sqrt(Hz). ``memory`` names a
    time constant in seconds with which the circuit forgets what the noise did: noise of before time zero is then part of a
    run (see neuronsim.circuits.deck.sources).
    """

    port: str | tuple[str, ...]
    density: str
    memory: str | None = None


class Waveforms(Part):
    """Nodes worth looking at."""

    nodes: tuple[str, ...]


class Energy(Part):
    """Supply ports and the parameter that holds their voltage; energy is the integral of v * i over the run."""

    supplies: dict[str, str]


class OscillatorCell(Part):
    """The ring VCO of a neuron: parameters that hold its control current at rest and the resistor ``pull`` from the phase
    detector to its control node, which sets the lock range.
    """

    cell: Literal["ring_vco"] = "ring_vco"
    bias: str
    pull: str


class SynapseCell(Part):
    """The digital synapse: resistance of its smallest conductance (ohm), and the voltage of the node it feeds."""

    cell: Literal["switched_resistor_synapse"] = "switched_resistor_synapse"
    r_lsb: float = Field(gt=0)
    summing_node_v: float = 0.5


class Cells(Part):
    """Cells of netlists/cells that the neuron is built of, for the plans that measure them alone."""

    oscillator: OscillatorCell | None = None
    synapse: SynapseCell | None = None


class ErrorTerm(Part):
    """One cause of the distance between the circuit and its equation, measured by changing it alone.

    ``membrane``: rms in thresholds, before the spike; ``spike_time_s``: rms in seconds; ``evidence``: what was compared with
    what; ``mended``: the circuit (or the bench) no longer has it.
    """

    cause: str
    membrane: float | None = Field(default=None, ge=0)
    spike_time_s: float | None = Field(default=None, ge=0)
    evidence: str
    mended: bool = False


class Validity(Part):
    """Where the circuit does what its equation says; plans stay inside, except those that measure the edge.

    summed_weight: largest sum of decayed weights (phase error of the detector) in unit weights; lowest_membrane: in
    thresholds; current_a: lowest and highest input current of a rate neuron.
    """

    summed_weight: float | None = Field(default=None, gt=0)
    lowest_membrane: float | None = None
    current_a: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.current_a is not None and not 0 < self.current_a[0] < self.current_a[1]:
            raise ValueError("current_a must be two rising positive currents in amperes")
        return self
