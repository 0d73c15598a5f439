"""Training a network: a run folder that can be interrupted at any time and finishes with the same weights."""

from pathlib import Path

import torch

from neuronsim.artifacts.training_run import LAST, METRICS, TrainingRun
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.atomic_write import write_text
from neuronsim.errors import InputError

from ..cards import as_card
from ..compiled.threads import use_threads
from ..datasets import catalogue as data
from ..datasets.pixels import as_pixels
from ..epochs import train_epochs
from ..experiment_files import to_toml
from .batches import PlainBatches, TrainingBatches
from .experiment import Experiment, load_experiment
from .lightning_module import TTFSModule
from .run_folder import RECORD, check_data, existing, load_weights, make_network, provenance_of, resumable, start_of


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
    stages: best-STAGE-BITS.ckpt) and run.json (provenance). An interrupted run is resumed after its last whole epoch and ends
    with bit-identical weights; a finished run is not trained again. Runs on a GPU where torch sees one, except with a card, whose
    neurons run on the CPU.

    ``start``: run folder, or checkpoint in one, whose weights training starts from (fine-tuning); its layers must be the same.
    ``seed``, ``epochs``: replace those of the experiment. ``card``: train under its noise (section [noise_aware]; defaults
    when there is none). ``resume`` False refuses a folder that holds a run; ``force`` True replaces it. ``threads``: CPU threads.

    Raises InputError (bad experiment, another one in the folder), DataError (corrupt checkpoint or data, divergence),
    MissingToolError (no data set), OutputError; KeyboardInterrupt on Ctrl-C, after which the run can be resumed.
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
    write_text(out / "experiment.toml", to_toml(experiment))
    provenance.save(out / RECORD)
    pixels, labels = as_pixels(dataset.train), torch.from_numpy(dataset.train.labels)
    module = TTFSModule(network, experiment, -(-len(labels) // experiment.batch_size), card)
    with use_threads(threads):
        train_epochs(
            module,
            lambda epoch: TrainingBatches(pixels, labels, experiment, epoch),
            PlainBatches(dataset.validation, experiment),
            out=out,
            metrics=METRICS,
            epochs=experiment.epochs,
            title=f"train {experiment.name}",
            checkpoint=resumable(out / LAST, experiment) if state == "started" else None,
            device="cpu" if card is not None else None,  # circuit neurons are compiled code
            progress=progress,
        )
    ended = {"finished": True, "bests": module.bests, "n_weights": network.n_weights}
    TrainingRun(**{**dict(provenance), **ended}).save(out / RECORD)
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
    card = None if card is None else as_card(card, TTFSCard)
    if card is not None and experiment.noise_aware is None:
        experiment = Experiment.model_validate({**experiment.model_dump(), "noise_aware": {}})
    if card is None and experiment.noise_aware is not None:
        raise InputError(
            f"experiment '{experiment.name}' has a [noise_aware] section: give the card whose noise to train under (--card)"
        )
    return experiment, card
