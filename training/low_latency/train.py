"""Training a convertible network in two phases, each a run folder that can be interrupted and ends with the same weights."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from neuronsim.artifacts.training_run import LAST
from neuronsim.atomic_write import output_errors, sha256_file, write_text
from neuronsim.errors import DataError, InputError

from ..datasets.catalogue import DataSet
from ..datasets.pixels import PlainPixels, as_pixels
from ..epochs import train_epochs
from ..seeds import torch_generator
from ..ttfs.run_folder import read_checkpoint
from .batches import INITIAL, PixelBatches
from .experiment import ConversionExperiment, Phase
from .lightning_module import ConvertibleModule
from .network import ConvertibleNetwork

_STEP_IMAGES = 250
_PHASES: dict[Phase, int] = {"pretraining": 0, "quantization": 1}


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained network with the checkpoint it was read from; ``validation_accuracy``: after the last epoch."""

    network: ConvertibleNetwork
    checkpoint: Path
    sha256: str
    validation_accuracy: float


def make_network(experiment: ConversionExperiment, dataset: DataSet, phase: Phase) -> ConvertibleNetwork:
    """The untrained network of an experiment, set as ``phase`` needs it; its weights depend on the seed only."""
    network = ConvertibleNetwork(
        experiment.layers,
        dataset.shape,
        dataset.n_classes,
        levels=experiment.levels,
        adaptor=experiment.adaptor,
        generator=torch_generator(experiment.seed, INITIAL),
    )
    if phase == "pretraining":
        network.set_mode("relu", "max")
    else:
        network.set_mode("quantized", "average")
    return network


def train_phase(
    experiment: ConversionExperiment,
    phase: Phase,
    *,
    out: Path,
    dataset: DataSet,
    start: Trained | None = None,
    progress: bool = True,
) -> Trained:
    """Train one phase and return the network after its last epoch; an interrupted run is resumed, a finished one read.

    ``out`` holds last.ckpt, epochs.csv and origin.json. ``start``: the pretrained network that quantization starts from.
    Nothing is selected by accuracy: the validation images are only looked at. Runs on a GPU where torch sees one.

    Raises InputError when ``out`` holds another run, DataError (corrupt checkpoint, divergence), OutputError; KeyboardInterrupt
    on Ctrl-C, after which the same call resumes the run after its last whole epoch.
    """
    network = make_network(experiment, dataset, phase)
    pixels, labels = training_pixels(experiment, dataset)
    checkpoint = _claim(out, experiment, phase, dataset, start)
    if start is not None:
        network.load_state_dict(start.network.state_dict())
        network.start_steps(pixels[:_STEP_IMAGES])
    else:
        network.standardize(pixels)

    def batches(epoch: int) -> PixelBatches:
        key = (experiment.seed, _PHASES[phase], epoch)
        return PixelBatches(pixels, labels, experiment.batch_size, experiment.crop, key)

    module = ConvertibleModule(network, experiment, phase, len(batches(0)))
    variant = "" if phase == "pretraining" else f" p = {experiment.levels}{' adaptor' if experiment.adaptor else ''}"
    train_epochs(
        module,
        batches,
        PlainPixels(dataset.validation),
        out=out,
        metrics="epochs.csv",
        epochs=experiment.schedule(phase).epochs,
        title=f"{phase}{variant}, seed {experiment.seed}",
        checkpoint=checkpoint,
        progress=progress,
    )
    network.cpu().eval()
    for activation in network.activations:
        activation.generator = None
    return Trained(
        network=network,
        checkpoint=out / LAST,
        sha256=sha256_file(out / LAST),
        validation_accuracy=module.history[-1]["val_accuracy"],
    )


def training_pixels(experiment: ConversionExperiment, dataset: DataSet) -> tuple[Tensor, Tensor]:
    """Training images (n, height, width, channels) and labels (n,), the first ``train_images`` where that is given."""
    images = dataset.train.first(experiment.train_images)
    return as_pixels(images), torch.from_numpy(images.labels)


def _claim(
    out: Path, experiment: ConversionExperiment, phase: Phase, dataset: DataSet, start: Trained | None
) -> dict[str, Any] | None:
    """Make ``out`` the folder of this run; returns the checkpoint that an interrupted one left there.

    Raises InputError when the folder holds a run of another origin.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: choose another --out")
    origin = {
        "experiment": experiment.model_dump(mode="json"),
        "phase": phase,
        "digest": experiment.digest(phase),
        "data_sha256": dataset.digest,
        "start_sha256": start.sha256 if start else None,
    }
    path = out / "origin.json"
    checkpoint = None
    if path.is_file():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
            same = all(before[name] == origin[name] for name in ("digest", "data_sha256", "start_sha256"))
        except (ValueError, KeyError, TypeError):
            raise DataError(f"{path} is corrupt: remove the folder {out} and run the same command again") from None
        if not same:
            raise InputError(f"{out} holds another experiment, seed or data: choose another --out or remove it")
        checkpoint = read_checkpoint(out / LAST) if (out / LAST).is_file() else None
    with output_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(origin, indent=1) + "\n")
    return checkpoint
