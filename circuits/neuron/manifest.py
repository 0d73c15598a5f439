"""The manifest: a TOML file beside each netlist that tells the bench what the neuron is and how to drive it."""

import importlib.resources
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from neuronsim.errors import DataError, InputError, suggest
from neuronsim.schema import Part, read_toml, rejected_field

from . import manifest_sections as sections
from .manifest_sections import CurrentNoise, Parameter, PhaseNoise
from .process import Process, load_process
from .schematic import Schematic
from .trim_step import TrimStep


class Manifest(Part):
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
    synapse: sections.Synapse | None = None
    stimulus: sections.Stimulus
    spike: sections.Spike
    time: sections.Time
    noise: PhaseNoise | CurrentNoise | None = None
    waveforms: sections.Waveforms = sections.Waveforms(nodes=())
    energy: sections.Energy | None = None
    validity: sections.Validity = sections.Validity()
    process: str | None = None
    cells: sections.Cells = sections.Cells()
    schematic: Schematic | None = None
    error_budget: tuple[sections.ErrorTerm, ...] = ()
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
        known = self.all_parameters()
        for field, port in self._named_ports():
            if port is not None and port not in self.ports:
                raise ValueError(f"{field} = '{port}' is not one of the ports {list(self.ports)}")
        if self.trim and not (self.energy and self.energy.supplies):
            raise ValueError("[[trim]] needs [energy] supplies: held voltages are fractions of the first")
        for name in self.trims:
            if name not in self.parameters:
                raise ValueError(f"trim.count = '{name}' is not one of [parameters] {sorted(self.parameters)}")
        for field, name in self._named_parameters():
            if name is not None and name not in known:
                raise ValueError(f"{field} = '{name}' is not one of the parameters {sorted(known)}")
        return self

    def _named_ports(self) -> list[tuple[str, str | None]]:
        """(field, port) wherever a section names a port."""
        return [
            *((f"stimulus.{name}", getattr(self.stimulus, name)) for name in ("port", "reset", "threshold")),
            *((f"spike.{name}", getattr(self.spike, name)) for name in ("node", "reference")),
            *(("waveforms.nodes", node) for node in self.waveforms.nodes),
            *(("energy.supplies", port) for port in (self.energy.supplies if self.energy else ())),
            ("synapse.output", self.synapse.output if self.synapse else None),
            *(("noise.port", port) for port in self.noise_ports),
            *(("trim.hold", port) for step in self.trim for port in step.hold),
        ]

    def _named_parameters(self) -> list[tuple[str, str | None]]:
        """(field, parameter) wherever a section names a parameter."""
        high_v, oscillator = self.stimulus.high_v, self.cells.oscillator
        noise = {} if self.noise is None else self.noise.model_dump(exclude={"port"})
        return [
            *((f"time.{name}", getattr(self.time, name)) for name in ("unit", "carrier")),
            ("stimulus.width", self.stimulus.width),
            ("stimulus.high_v", high_v if isinstance(high_v, str) else None),
            *(("synapse.shares", name) for name in (self.synapse.shares if self.synapse else ())),
            *(("energy.supplies", name) for name in (self.energy.supplies.values() if self.energy else ())),
            *((f"cells.oscillator.{n}", getattr(oscillator, n)) for n in ("bias", "pull") if oscillator),
            *((f"noise.{field}", name) for field, name in noise.items()),
        ]

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

    def required_process(self, purpose: str) -> Process:
        """The process named by ``process``. Raises InputError when there is none and ``purpose`` needs one, DataError
        when its file is missing or wrong."""
        if self.process is None:
            raise InputError(
                f"{self.name} has no 'process' in its manifest, so it cannot be run at {purpose}: "
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


def neurons() -> dict[str, Path]:
    """Manifests by neuron name."""
    return {path.stem: path for path in sorted(netlist_folder().glob("*.toml"))}


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
    raw = read_toml(path, "manifest")
    for field in ("folder", "file"):
        if field in raw:
            raise DataError(f"{path}: field '{field}' is not known")
    try:
        return Manifest.model_validate({**raw, "folder": path.resolve().parent, "file": path.name})
    except ValidationError as error:
        raise DataError(f"{path}: {rejected_field(error, Manifest)}") from None
