"""Training a network: a run folder that can be interrupted at any time and finishes with the same weights."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import lightning
import torch

from neuronsim.artifacts.atomic_write import output_errors, write_atomically, write_text
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.errors import InputError
from neuronsim.progress import Bar, bar

from ..compiled.threads import use_threads
from ..datasets import catalogue as data
from ..datasets.pixels import as_pixels
from ..experiment_files import to_toml
from ..fitting import fit
from .batches import PlainBatches, TrainingBatches
from .experiment import Experiment, load_experiment
from .lightning_module import COLUMNS, TTFSModule
from .run_folder import (
    RECORD,
    as_ttfs_card,
    best_checkpoint,
    check_data,
    existing,
    load_weights,
    make_network,
    provenance_of,
    resumable,
    start_of,
)


def train(
    experiment: Experiment | str | Path,
    *,
    out: Path | str,
    data_dir: Path | str | None = None,
    seed: int | None = None,
    card: TTFSCard | Path | str | None = None,
    epochs: int | None = None,
    start: Path | str | None = None,
    resume: bool = True,
    force: bool = False,
    progress: bool = True,
    threads: int | None = None,
) -> Path:
    """Train an experiment and return its run folder ``out``.

    The folder holds experiment.toml, metrics.csv, last.ckpt, best.ckpt (best epoch of the last stage by validation; earlier
    stages: best-STAGE-BITS.ckpt) and run.json (provenance). A run that was interrupted goes on where its last whole epoch
    ended and ends with bit-identical weights; a finished run is not trained again.

    Runs on a GPU where torch sees one, except with a card, whose neurons run on the CPU.

    ``start``: run folder, or checkpoint in one, whose weights training starts from (fine-tuning); its layers must be the same.
    ``seed``, ``epochs``: replace those of the experiment. ``card``: train under its noise (section [noise_aware]; defaults
    when there is none). ``resume`` False refuses a folder that holds a run; ``force`` True replaces it. ``threads``: CPU threads.

    Raises InputError (bad experiment, another experiment in the folder), DataError (corrupt checkpoint or data, divergence),
    MissingToolError (no data set), OutputError (folder cannot be written); KeyboardInterrupt on Ctrl-C, after which the run
    can be resumed.
    """
    experiment, card = _resolve(experiment, seed, card, epochs)
    out = Path(out)
    origin = None if start is None else start_of(Path(start))
    state = existing(out, experiment, card, origin, resume, force)
    if state == "finished":
        return out
    dataset = data.load(experiment.data, data_dir)
    provenance = provenance_of(experiment, card, origin, dataset)
    check_data(out, provenance)
    network = make_network(experiment, dataset.shape, dataset.n_classes)
    if origin is not None:
        load_weights(network, origin.checkpoint, origin.experiment)
    with output_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    write_text(out / "experiment.toml", to_toml(experiment))
    provenance.save(out / RECORD)
    n_batches = -(-len(dataset.train) // experiment.batch_size)
    module = TTFSModule(network, experiment, n_batches, card)
    checkpoint = resumable(out / "last.ckpt", experiment) if state == "started" else None
    done = 0 if checkpoint is None else len(checkpoint["neuronsim"]["history"])
    steps = experiment.epochs * n_batches
    device = "cpu" if card is not None or not torch.cuda.is_available() else "gpu"  # circuit neurons are compiled code
    with (
        use_threads(threads),
        bar(f"train {experiment.name}", steps, done=done * n_batches, shown=progress) as shown,
    ):
        if done < experiment.epochs:
            _fit(module, dataset, experiment, out, shown, resume=checkpoint is not None, device=device)
        elif checkpoint is not None:
            module.on_load_checkpoint(checkpoint)
    ended = {"finished": True, "bests": module.bests, "n_weights": network.n_weights}
    provenance.model_copy(update=ended).save(out / RECORD)
    return out


def _resolve(
    experiment: Experiment | str | Path, seed: int | None, card: TTFSCard | Path | str | None, epochs: int | None
) -> tuple[Experiment, TTFSCard | None]:
    if not isinstance(experiment, Experiment):
        experiment = load_experiment(experiment)
    if seed is not None:
        if seed < 0:
            raise InputError(f"seed = {seed} is out of range: must be 0 or positive")
        experiment = experiment.model_copy(update={"seed": seed})
    if epochs is not None:
        experiment = experiment.with_epochs(epochs)
    card = as_ttfs_card(card)
    if card is not None and experiment.noise_aware is None:
        experiment = Experiment.model_validate({**experiment.model_dump(), "noise_aware": {}})
    if card is None and experiment.noise_aware is not None:
        raise InputError(
            f"experiment '{experiment.name}' has a [noise_aware] section: give the card whose noise to train under (--card)"
        )
    return experiment, card


class _Keeper(lightning.Callback):
    """Moves the bar, and after every epoch writes checkpoints and metrics, each whole or not at all."""

    def __init__(self, out: Path, shown: Bar) -> None:
        self.out = out
        self.shown = shown

    def on_train_batch_end(self, *_: Any) -> None:
        self.shown.advance()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        module = pl_module
        if not isinstance(module, TTFSModule):
            raise InputError("the checkpoint writer only serves TTFSModule")
        module.close_epoch()
        row = module.history[-1]
        self.shown.note(f"validation {row['val_accuracy']:.2%}")
        text = io.StringIO()
        columns: list[str] = list(COLUMNS)
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(module.history)
        write_text(self.out / "metrics.csv", text.getvalue())
        # The best checkpoint first: killed in between, the epoch is repeated and writes it again.
        names = (
            ["last.ckpt"]
            if module.improved is None
            else [best_checkpoint(module.experiment, module.improved), "last.ckpt"]
        )
        for name in names:
            write_atomically(self.out / name, lambda temporary: trainer.save_checkpoint(temporary))


def _fit(
    module: TTFSModule,
    dataset: data.DataSet,
    experiment: Experiment,
    out: Path,
    shown: Bar,
    *,
    resume: bool,
    device: str,
) -> None:
    pixels, labels = as_pixels(dataset.train), torch.from_numpy(dataset.train.labels)

    class Loaders(lightning.LightningDataModule):
        def train_dataloader(self) -> TrainingBatches:
            epoch = self.trainer.current_epoch if self.trainer else 0
            return TrainingBatches(pixels, labels, experiment, epoch)

        def val_dataloader(self) -> PlainBatches:
            return PlainBatches(dataset.validation, experiment)

    fit(
        module,
        Loaders(),
        _Keeper(out, shown),
        epochs=experiment.epochs,
        root=out,
        resume=out / "last.ckpt" if resume else None,
        device=device,
    )
