"""The manifest: a TOML file beside each netlist that tells the bench what the neuron is and how to drive it."""

from __future__ import annotations

import importlib.resources
import math
import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from neuronsim.errors import DataError, InputError, suggest

from .process import Process, load_process
from .schematic import Schematic
from .trim_step import TrimStep


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Parameter(_Part):
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


class Synapse(_Part):
    """Subcircuit of one input: its ports, the parameter that holds the weight, and those it shares with the neuron.

    ``supply``: name of the voltage source inside it that feeds it at the first supply's voltage; its energy is counted.
    """

    subcircuit: str
    input: str
    output: str
    weight: str
    shares: tuple[str, ...] = ()
    supply: str | None = None


class Stimulus(_Part):
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


class Spike(_Part):
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


class Time(_Part):
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


class PhaseNoise(_Part):
    """White frequency noise of VCO3 and VCO4 at ``port``, computed from three parameters (see neuronsim.circuits.deck.white_noise)."""

    port: str
    carrier: str
    kappa: str
    lead: str


class CurrentNoise(_Part):
    """White current noise into ``port``, or independent noise into each of several.

    ``density`` names a parameter: square root of the one-sided power spectral density, in A/sqrt(Hz). ``memory`` names a
    time constant in seconds with which the circuit forgets what the noise did: noise of before time zero is then part of a
    run (see neuronsim.circuits.deck.sources).
    """

    port: str | tuple[str, ...]
    density: str
    memory: str | None = None


class Waveforms(_Part):
    """Nodes worth looking at."""

    nodes: tuple[str, ...]


class Energy(_Part):
    """Supply ports and the parameter that holds their voltage; energy is the integral of v * i over the run."""

    supplies: dict[str, str]


class OscillatorCell(_Part):
    """The ring VCO of a neuron: parameters that hold its control current at rest and the resistor ``pull`` from the phase
    detector to its control node, which sets the lock range.
    """

    cell: Literal["ring_vco"] = "ring_vco"
    bias: str
    pull: str


class SynapseCell(_Part):
    """The digital synapse: resistance of its smallest conductance (ohm), and the voltage of the node it feeds."""

    cell: Literal["switched_resistor_synapse"] = "switched_resistor_synapse"
    r_lsb: float = Field(gt=0)
    summing_node_v: float = 0.5


class Cells(_Part):
    """Cells of netlists/cells that the neuron is built of, for the plans that measure them alone."""

    oscillator: OscillatorCell | None = None
    synapse: SynapseCell | None = None


class ErrorTerm(_Part):
    """One cause of the distance between the circuit and its equation, measured by changing it alone.

    ``membrane``: rms in thresholds, before the spike; ``spike_time_s``: rms in seconds; ``evidence``: what was compared with
    what; ``mended``: the circuit (or the bench) no longer has it.
    """

    cause: str
    membrane: float | None = Field(default=None, ge=0)
    spike_time_s: float | None = Field(default=None, ge=0)
    evidence: str
    mended: bool = False


class Validity(_Part):
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


class Manifest(_Part):
    """One neuron. See netlists/README.md for how to write one.

    ``variant_of``: the neuron that this one is in another process; a family of levels (circuits.comparison) leaves it out.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    summary: str
    netlist: str
    subcircuit: str
    code: Literal["ttfs", "rate"]
    level: Literal["averaged", "switching", "transistor", "behavioral"]
    source: str = ""
    variant_of: str = ""
    ports: dict[str, str] = Field(min_length=1)
    synapse: Synapse | None = None
    stimulus: Stimulus
    spike: Spike
    time: Time
    noise: PhaseNoise | CurrentNoise | None = None
    waveforms: Waveforms = Waveforms(nodes=())
    energy: Energy | None = None
    validity: Validity = Validity()
    process: str | None = None
    cells: Cells = Cells()
    schematic: Schematic | None = None
    error_budget: tuple[ErrorTerm, ...] = ()
    trim: tuple[TrimStep, ...] = ()
    parameters: dict[str, Parameter]
    bench: dict[str, Parameter] = Field(default_factory=dict)
    folder: Path = Field(default=Path(), exclude=True)
    file: Path = Field(default=Path(), exclude=True)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        both = set(self.parameters) & set(self.bench)
        if both:
            raise ValueError(f"{sorted(both)} stand under both [parameters] and [bench]")
        if self.code == "ttfs" and (self.synapse is None or self.stimulus.kind == "current"):
            raise ValueError('code = "ttfs" needs a [synapse] and a step or pulse stimulus')
        if self.time.lead_in and self.stimulus.reset is None:
            raise ValueError("time.lead_in needs stimulus.reset: the port that is high until time zero")
        if self.code == "rate" and self.validity.current_a is None:
            raise ValueError('code = "rate" needs [validity] current_a = [lowest, highest]')
        if self.code == "rate" and (self.synapse is not None or self.stimulus.kind != "current"):
            raise ValueError('code = "rate" needs stimulus kind = "current" and no [synapse]')
        ports = [
            ("stimulus.port", self.stimulus.port),
            ("stimulus.reset", self.stimulus.reset),
            ("stimulus.threshold", self.stimulus.threshold),
            ("spike.node", self.spike.node),
        ]
        ports += [("spike.reference", self.spike.reference)]
        ports += [("waveforms.nodes", node) for node in self.waveforms.nodes]
        ports += [("energy.supplies", port) for port in (self.energy.supplies if self.energy else ())]
        ports += [("synapse.output", self.synapse.output)] if self.synapse else []
        ports += [("noise.port", port) for port in self.noise_ports]
        ports += [("trim.hold", port) for step in self.trim for port in step.hold]
        for field, port in ports:
            if port is not None and port not in self.ports:
                raise ValueError(f"{field} = '{port}' is not one of the ports {list(self.ports)}")
        known = self.all_parameters()
        names = [
            ("time.unit", self.time.unit),
            ("time.carrier", self.time.carrier),
            ("stimulus.width", self.stimulus.width),
            ("stimulus.high_v", self.stimulus.high_v if isinstance(self.stimulus.high_v, str) else None),
        ]
        names += [("synapse.shares", name) for name in (self.synapse.shares if self.synapse else ())]
        names += [("energy.supplies", name) for name in (self.energy.supplies.values() if self.energy else ())]
        if self.cells.oscillator:
            names += [("cells.oscillator.bias", self.cells.oscillator.bias)]
            names += [("cells.oscillator.pull", self.cells.oscillator.pull)]
        if isinstance(self.noise, CurrentNoise):
            names += [("noise.density", self.noise.density), ("noise.memory", self.noise.memory)]
        if isinstance(self.noise, PhaseNoise):
            names += [
                ("noise.carrier", self.noise.carrier),
                ("noise.kappa", self.noise.kappa),
                ("noise.lead", self.noise.lead),
            ]
        if self.trim and not (self.energy and self.energy.supplies):
            raise ValueError("[[trim]] needs [energy] supplies: held voltages are fractions of the first")
        for name in self.trims:
            if name not in self.parameters:
                raise ValueError(f"trim.count = '{name}' is not one of [parameters] {sorted(self.parameters)}")
        for field, name in names:
            if name is not None and name not in known:
                raise ValueError(f"{field} = '{name}' is not one of the parameters {sorted(known)}")
        return self

    @property
    def noise_ports(self) -> tuple[str, ...]:
        """Ports that noise goes into; empty without [noise]."""
        if self.noise is None:
            return ()
        return (self.noise.port,) if isinstance(self.noise.port, str) else self.noise.port

    @property
    def trims(self) -> tuple[str, ...]:
        """Parameters that trimming sets; empty without [[trim]]."""
        return tuple(dict.fromkeys(name for step in self.trim for name in step.count))

    def process_or_refuse(self, wish: str) -> Process:
        """The process named by ``process``. Raises InputError when there is none and ``wish`` needs one, DataError
        when its file is missing or wrong."""
        if self.process is None:
            raise InputError(
                f"{self.name} has no 'process' in its manifest, so it cannot be run at {wish}: "
                "name the TOML file with its corners and mismatch (see netlists/README.md)"
            )
        return load_process(self.folder / self.process)

    def all_parameters(self) -> dict[str, Parameter]:
        """Netlist and bench parameters together."""
        return {**self.parameters, **self.bench}

    def defaults(self) -> dict[str, float]:
        """Default value of every parameter."""
        return {name: parameter.default for name, parameter in self.all_parameters().items()}

    def checked(self, values: dict[str, float]) -> dict[str, float]:
        """All parameters with ``values`` replacing defaults.

        Raises InputError for an unknown name or a value outside its range.
        """
        known = self.all_parameters()
        for name, value in values.items():
            if name not in known:
                raise InputError(f"{self.name} has no parameter '{name}'.{suggest(name, known)}")
            problem = known[name].problem(value)
            if problem:
                raise InputError(f"{self.name}: parameter {name} = {value:g} {problem} ({known[name].meaning})")
        return {**self.defaults(), **values}

    @property
    def where(self) -> str:
        """What :func:`load_manifest` finds this manifest by: the name of a neuron that comes with neuronsim, or a path."""
        own = self.folder == netlist_folder().resolve()
        return self.file.stem if own else str(self.folder / self.file.name)

    @property
    def netlist_path(self) -> Path:
        """Where the netlist lies: beside the manifest."""
        return self.folder / self.netlist


def netlist_folder() -> Path:
    """Folder of the netlists that come with neuronsim."""
    return Path(str(importlib.resources.files("neuronsim.netlists")))


def neurons(folder: Path | None = None) -> dict[str, Path]:
    """Manifests by neuron name."""
    return {path.stem: path for path in sorted((folder or netlist_folder()).glob("*.toml"))}


def load_manifest(neuron: str | Path) -> Manifest:
    """Read the manifest of a neuron by name, or of any ``.toml`` file by path.

    Raises InputError for an unknown neuron (naming the nearest), DataError for a manifest with a missing, unknown,
    contradictory or out-of-range field (naming it).
    """
    text = str(neuron)
    known = neurons()
    if text in known:
        path = known[text]
    elif text.endswith(".toml"):
        path = Path(text)
        if not path.is_file():
            raise InputError(f"no manifest at {path}")
    else:
        raise InputError(f"unknown neuron '{text}'.{suggest(text, known)} Or give the path of a manifest (.toml).")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not valid TOML: {error}") from None
    for field in ("folder", "file"):
        if field in raw:
            raise DataError(f"{path}: field '{field}' is not known")
    try:
        manifest = Manifest.model_validate({**raw, "folder": path.resolve().parent, "file": path.name})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "manifest"
        known_fields = Manifest.model_fields
        hint = suggest(where, known_fields) if first["type"] == "extra_forbidden" and len(first["loc"]) == 1 else ""
        raise DataError(f"{path}: {where}: {first['msg']}.{hint}") from None
    return manifest
