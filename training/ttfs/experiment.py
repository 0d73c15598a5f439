"""Experiments as data: everything that decides the weights of a trained network, read from TOML."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from neuronsim.artifacts.atomic_write import sha256_of
from neuronsim.errors import InputError, suggest
from neuronsim.neuron.conductance_bank import FullScale

from ..datasets.catalogue import DATASETS
from ..layer_specs import LayerSpec
from .loss import LossName, PenaltyReduction
from .network_library import declared_network


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Encoding(_Part):
    """t = alpha (1 - pixel) (``bright_first``) or alpha pixel, in tau; ``noise``: uniform +-noise on each training pixel."""

    alpha: float = Field(default=3.0, gt=0, le=80)
    bright_first: bool = True
    noise: float = Field(default=0.05, ge=0, le=1)


class Loss(_Part):
    """Spike-time loss + weight_sum * mean(relu(beta - sum w)) + l2 * sum w^2 (paper 004, equation 5).

    ``reduction`` "sum": the sum over neurons instead of the mean, as the equation is printed. ``silent_target`` > 0 adds that
    many times what a silent target's membrane lacks to the threshold (:func:`silent_target_shortfall`).
    """

    name: LossName = "softmax-z"
    cap: float = Field(default=250.0, gt=1)
    weight_sum: float = Field(default=10.0, ge=0)
    beta: float = Field(default=1.0, ge=0)
    l2: float = Field(default=0.0, ge=0)
    reduction: PenaltyReduction = "mean"
    silent_target: float = Field(default=0.0, ge=0)


class Optimizer(_Part):
    """Adam, AdamW, or SOAP (Vyas et al. 2024: Adam in the eigenbasis of Shampoo's preconditioners, renewed every
    ``precondition_every`` batches, by default 20 or 640 images, whichever is more). ``clip``: "norm" limits
    the norm of all gradients to ``clip_value``; "row-norm" that of each weight matrix divided by its number of output neurons
    (paper 004, section 4); ``slope_floor``: smallest S - 1 in the gradients."""

    name: Literal["adam", "adamw", "soap"] = "adamw"
    weight_decay: float = Field(default=0.0, ge=0)
    precondition_every: int | None = Field(default=None, ge=1)
    clip: Literal["none", "norm", "row-norm"] = "none"
    clip_value: float | None = Field(default=None, gt=0)
    slope_floor: float = Field(default=0.1, ge=0)

    @model_validator(mode="after")
    def _clip(self) -> Self:
        if (self.clip == "none") != (self.clip_value is None):
            raise ValueError("clip and clip_value go together: give both, or neither")
        if self.name == "adam" and self.weight_decay > 0:
            raise ValueError('weight_decay belongs to "adamw" and "soap"; with "adam" use loss.l2')
        if self.name != "soap" and self.precondition_every is not None:
            raise ValueError('precondition_every belongs to "soap"')
        return self


class Augmentation(_Part):
    """Random map of every training image: affine, uniform within +- these limits, and elastic.

    ``elastic_px``: limit of the displacement at the knots of a grid 7 pixels apart, smooth between them.
    """

    shift_px: float = Field(default=0.0, ge=0)
    rotation_deg: float = Field(default=0.0, ge=0, le=180)
    scale: float = Field(default=0.0, ge=0, lt=1)
    shear: float = Field(default=0.0, ge=0, lt=1)
    elastic_px: float = Field(default=0.0, ge=0)

    @property
    def active(self) -> bool:
        """False when images stay as they are."""
        return any((self.shift_px, self.rotation_deg, self.scale, self.shear, self.elastic_px))


class TrainingStage(_Part):
    """Epochs with one learning-rate schedule (from ``lr`` to ``lr_end``, per batch) and one weight resolution."""

    epochs: int = Field(ge=1)
    lr: float = Field(gt=0)
    lr_end: float = Field(gt=0)
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    bits: int | None = Field(default=None, ge=1, le=32)

    @model_validator(mode="after")
    def _constant(self) -> Self:
        if self.schedule == "constant" and self.lr != self.lr_end:
            raise ValueError(f'schedule "constant" contradicts lr_end = {self.lr_end:g} (lr = {self.lr:g})')
        return self


class NoiseAware(_Part):
    """Training on the card given to ``train``: through its circuit, under its mismatch, under its timing noise, each on or off.

    ``kernel`` "card": spike times and gradients are those of the card's own neuron (second pole, ramp, gain, detector range,
    delay), as in evaluation; "ideal": those of equation 4 with the card's gain and delay only, which is faster and enough where
    the second pole is fast (r >= 50), the ramp small, and the phase error stays in range. The default is "card", since what
    training does not see it cannot make good. ``frozen``: a new chip for every batch (weight, gain and, with the card's kernel,
    ramp errors), its synapses "shared" by the positions of a convolution or "unrolled", as on a real chip (slower; needs the
    card's kernel). ``temporal``: timing noise and missing spikes, drawn per spike; ``scale`` multiplies the timing noise. With
    ``frozen`` and ``temporal`` false it is training through the deterministic circuit.

    ``range_penalty`` adds that many times what phase errors exceed the detector's linear range by, ``range_margin`` of it left
    to the spread of chips (:mod:`training.ttfs.detector_range`): it brings a network into the range without following a folded
    detector, whose gradients lead nowhere. Of no effect with a card whose range has no limit.
    """

    kernel: Literal["card", "ideal"] = "card"
    scale: float = Field(default=1.0, ge=0)
    frozen: bool = True
    temporal: bool = True
    synapses: Literal["shared", "unrolled"] = "shared"
    range_penalty: float = Field(default=0.0, ge=0)
    range_margin: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _own_synapses(self) -> Self:
        if self.kernel == "ideal" and self.synapses == "unrolled":
            raise ValueError('synapses = "unrolled" needs kernel = "card": the ideal kernel shares its weights')
        return self


class Experiment(_Part):
    """One training run. The last stage's resolution is the one that is deployed."""

    name: str = Field(min_length=1)
    description: str = ""
    data: Literal["mnist-5k", "digits", "mnist", "fashion-mnist", "cifar10"]
    batch_size: int = Field(ge=1)
    seed: int = Field(default=0, ge=0)
    full_scale: FullScale = "neuron"
    ema: float | None = Field(
        default=None, gt=0, lt=1, description="decay per batch of the averaged weights; null: none"
    )
    encoding: Encoding = Encoding()
    loss: Loss = Loss()
    optimizer: Optimizer = Optimizer()
    augmentation: Augmentation = Augmentation()
    noise_aware: NoiseAware | None = None
    layers: tuple[LayerSpec, ...] = Field(min_length=1)
    stages: tuple[TrainingStage, ...] = Field(min_length=1)

    @property
    def epochs(self) -> int:
        """Epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)

    @property
    def bits(self) -> int | None:
        """Deployed resolution."""
        return self.stages[-1].bits

    def stage_at(self, epoch: int) -> tuple[int, int]:
        """(stage, epoch within it) of a global epoch."""
        for number, stage in enumerate(self.stages):
            if epoch < stage.epochs:
                return number, epoch
            epoch -= stage.epochs
        raise InputError(f"the experiment has {self.epochs} epochs, there is no epoch {epoch + self.epochs}")

    def with_epochs(self, epochs: int) -> Experiment:
        """The same experiment shortened or lengthened: stages keep their proportions, at least one epoch each."""
        if epochs < len(self.stages):
            raise InputError(
                f"epochs = {epochs} is too few: the experiment '{self.name}' has {len(self.stages)} stages, one each"
            )
        counts = [max(1, round(stage.epochs * epochs / self.epochs)) for stage in self.stages]
        while sum(counts) != epochs:
            largest = counts.index(max(counts))
            counts[largest] += 1 if sum(counts) < epochs else -1
        stages = tuple(stage.model_copy(update={"epochs": n}) for stage, n in zip(self.stages, counts, strict=True))
        return self.model_copy(update={"stages": stages})

    def digest(self) -> str:
        """SHA-256 over everything that changes the weights."""
        content = self.model_dump(mode="json", exclude={"description"})
        # Options younger than the first runs count only where they are used, so that those runs stay resumable.
        for name in ("reduction", "silent_target"):
            if content["loss"][name] == Loss.model_fields[name].default:
                del content["loss"][name]
        if content["noise_aware"] is not None and content["noise_aware"]["range_penalty"] == 0:
            del content["noise_aware"]["range_penalty"], content["noise_aware"]["range_margin"]
        for layer in content["layers"]:
            if layer["kind"] == "pool" and layer["stride"] is None:
                del layer["stride"]
        return sha256_of(json.dumps(content, sort_keys=True))


def shipped_experiments() -> dict[str, Path]:
    """The experiments that ship with the package: name -> TOML file."""
    folder = Path(str(files("neuronsim.training.ttfs"))) / "experiments"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_experiment(name: str | Path) -> Experiment:
    """Read an experiment by the name of a shipped one, or from a TOML file.

    ``base = "NAME"`` in the file: the keys and tables it does not give itself are those of that experiment.
    ``network = "NAME"``: its layers are those of a declared network (:mod:`.declared`).

    Raises InputError when there is none (with the nearest name), or naming file and field when it is not valid.
    """
    path = _experiment_file(name)
    raw = _read_experiment(path)
    if (base := raw.pop("base", None)) is not None:
        # One level only: an experiment stands on a whole one, never on a chain of differences.
        raw = _read_experiment(_experiment_file(str(base))) | raw
    return parse_experiment(raw, str(path))


def _read_experiment(path: Path) -> dict[str, Any]:
    raw = _read_toml(path)
    if (network := raw.pop("network", None)) is not None:
        if "layers" in raw:
            raise InputError(f"{path}: 'network' and 'layers' contradict each other: give one of them")
        raw["layers"] = declared_network(str(network)).layers
    return raw


def _experiment_file(name: str | Path) -> Path:
    path = Path(name)
    if path.suffix == ".toml":
        return path
    known = shipped_experiments()
    found = known.get(str(name)) or known.get(str(name).replace("-", "_"))
    if found is None:
        raise InputError(f"unknown experiment '{name}'.{suggest(str(name), known)} Or give the path of a .toml file.")
    return found


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"no experiment file {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} is not a readable TOML file: {error}") from None


def parse_experiment(raw: dict[str, Any], where: str) -> Experiment:
    """An experiment from plain data; ``where`` names its origin in the InputError that a wrong field raises."""
    try:
        return Experiment.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        parts = [str(part) for part in first["loc"] if str(part) not in _LAYER_KINDS]
        field = ".".join(parts)
        hint = ""
        if first["type"] == "extra_forbidden":
            hint = suggest(parts[-1], _known_fields())
        elif parts == ["data"]:
            hint = suggest(str(first.get("input")), DATASETS)
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(
            f"{where}: field '{field or 'experiment'}': {message} (got {first.get('input')!r:.60}).{hint}"
        ) from None


_LAYER_KINDS = ("conv", "linear", "pool", "dropout", "inception")


def _known_fields() -> set[str]:
    names: set[str] = set()
    for model in (Experiment, Encoding, Loss, Optimizer, Augmentation, TrainingStage, NoiseAware):
        names |= set(model.model_fields)
    return names | {"kind", "channels", "kernel", "stride", "bias", "outputs", "size", "p", "branches"}


def to_toml(experiment: Experiment) -> str:
    """The experiment as TOML; reading it back gives the same experiment."""
    content = experiment.model_dump(mode="json", exclude_none=True)
    plain = {k: v for k, v in content.items() if not isinstance(v, dict) and k not in ("layers", "stages")}
    lines = [f"{key} = {_toml(value)}" for key, value in plain.items()]
    for key, value in content.items():
        if isinstance(value, dict):
            lines += ["", f"[{key}]", *(f"{k} = {_toml(v)}" for k, v in value.items())]
    for key in ("layers", "stages"):
        for entry in content[key]:
            lines += ["", f"[[{key}]]", *(f"{k} = {_toml(v)}" for k, v in entry.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """A value on one line; JSON but for tables."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    return json.dumps(value)
