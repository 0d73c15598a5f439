"""Training a convertible network in two phases, each a run folder that can be interrupted and ends with the same weights."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor

from neuronsim.artifacts.atomic_write import output_errors, sha256_file, write_atomically, write_text
from neuronsim.errors import DataError, InputError
from neuronsim.progress import Bar, bar

from ..datasets.catalogue import DataSet
from ..datasets.pixels import as_pixels
from ..fitting import fit
from ..seeds import torch_generator
from ..ttfs.run_folder import read_checkpoint
from .batches import INITIAL, PixelBatches, PlainPixels
from .experiment import ConversionExperiment, Phase
from .lightning_module import COLUMNS, ConvertibleModule
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
    """Train one phase and return the network after its last epoch; a finished run is read, an interrupted one goes on.

    ``out`` holds last.ckpt, epochs.csv and origin.json. ``start``: the pretrained network that quantization starts from.
    Nothing is selected by accuracy: the validation images are only looked at. Runs on a GPU where torch sees one.

    Raises InputError when ``out`` holds another run, DataError (corrupt checkpoint, divergence), OutputError; KeyboardInterrupt
    on Ctrl-C, after which the same call goes on at the last whole epoch.
    """
    network = make_network(experiment, dataset, phase)
    pixels, labels = training_pixels(experiment, dataset)
    origin = {
        "experiment": experiment.model_dump(mode="json"),
        "phase": phase,
        "digest": experiment.digest(phase),
        "data_sha256": dataset.digest,
        "start_sha256": start.sha256 if start else None,
    }
    checkpoint = _existing(out, origin)
    if start is not None:
        network.load_state_dict(start.network.state_dict())
        network.start_steps(pixels[:_STEP_IMAGES])
    else:
        network.standardize(pixels)
    with output_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    write_text(out / "origin.json", json.dumps(origin, indent=1) + "\n")
    key = (experiment.seed, _PHASES[phase])
    probe = PixelBatches(pixels, labels, experiment.batch_size, experiment.crop, key)
    module = ConvertibleModule(network, experiment, phase, len(probe))
    epochs = experiment.schedule(phase).epochs
    done = 0
    if checkpoint is not None:
        done = len(checkpoint["neuronsim"]["history"])
        module.load_state_dict(checkpoint["state_dict"])
        module.on_load_checkpoint(checkpoint)
    if done < epochs:
        variant = (
            "" if phase == "pretraining" else f" p = {experiment.levels}{' adaptor' if experiment.adaptor else ''}"
        )
        title = f"{phase}{variant}, seed {experiment.seed}"
        with bar(title, epochs * len(probe), done=done * len(probe), shown=progress) as shown:

            class Loaders(lightning.LightningDataModule):
                def train_dataloader(self) -> PixelBatches:
                    epoch = self.trainer.current_epoch if self.trainer else 0
                    return PixelBatches(pixels, labels, experiment.batch_size, experiment.crop, (*key, epoch))

                def val_dataloader(self) -> PlainPixels:
                    return PlainPixels(dataset.validation)

            resume = out / "last.ckpt" if checkpoint is not None else None
            device = "gpu" if torch.cuda.is_available() else "cpu"
            fit(module, Loaders(), _Keeper(out, shown), epochs=epochs, root=out, resume=resume, device=device)
    network.cpu().eval()
    for activation in network.activations:
        activation.generator = None
    last = out / "last.ckpt"
    return Trained(
        network=network,
        checkpoint=last,
        sha256=sha256_file(last),
        validation_accuracy=module.history[-1]["val_accuracy"],
    )


def training_pixels(experiment: ConversionExperiment, dataset: DataSet) -> tuple[Tensor, Tensor]:
    """Training images (n, height, width, channels) and labels (n,), the first ``train_images`` where that is given."""
    images = dataset.train
    pixels, labels = as_pixels(images), torch.from_numpy(images.labels)
    return pixels[: experiment.train_images], labels[: experiment.train_images]


def _existing(out: Path, origin: dict[str, Any]) -> dict[str, Any] | None:
    """The checkpoint of the run in ``out``; None when there is none."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: choose another --out")
    path = out / "origin.json"
    if not path.is_file():
        return None
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        same = all(before[name] == origin[name] for name in ("digest", "data_sha256", "start_sha256"))
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path} is corrupt: remove the folder {out} and run the same command again") from None
    if not same:
        raise InputError(f"{out} holds a run of another experiment, seed or data: choose another --out or remove it")
    return read_checkpoint(out / "last.ckpt") if (out / "last.ckpt").is_file() else None


class _Keeper(lightning.Callback):
    """Moves the bar, and after every epoch writes checkpoint and metrics, each whole or not at all."""

    def __init__(self, out: Path, shown: Bar) -> None:
        self.out, self.shown = out, shown

    def on_train_batch_end(self, *_: Any) -> None:
        self.shown.advance()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not isinstance(pl_module, ConvertibleModule):
            raise InputError("the checkpoint writer only serves ConvertibleModule")
        pl_module.close_epoch()
        self.shown.note(f"validation {pl_module.history[-1]['val_accuracy']:.2%}")
        text = io.StringIO()
        columns: list[str] = list(COLUMNS)
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(pl_module.history)
        write_text(self.out / "epochs.csv", text.getvalue())
        write_atomically(self.out / "last.ckpt", lambda temporary: trainer.save_checkpoint(temporary))
