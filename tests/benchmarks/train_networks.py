"""Train the networks whose accuracies docs/measured.md quotes, and put them on cards.

Run by ``make bench-training`` (hours; every part goes on where it was interrupted). Writes training.json beside this file
(of every part its figures, learning curves, machine, date, command, and the digests of its experiments), training.png and the
table of docs/measured.md; ``--table`` only writes the last two from the first. Every choice was made on the
validation images, which are part of the training set; each network kept meets the test images once.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cards import made_card
from numpy.typing import NDArray
from record import machine_line, write_block
from training_table import PLOT, measured_table, plot

from neuronsim.artifacts.robustness_study import Study
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.atomic_write import write_text
from neuronsim.statistics.proportions import wilson
from neuronsim.statistics.student import paired_images
from neuronsim.training import load_experiment, stress, train
from neuronsim.training.cards import as_card
from neuronsim.training.compiled.threads import use_threads
from neuronsim.training.packed_answers import pack
from neuronsim.training.studies.robustness.plan import RobustnessPlan
from neuronsim.training.ttfs.batches import PlainBatches
from neuronsim.training.ttfs.chip import run_on_card
from neuronsim.training.ttfs.deployed import Kept, build, checkpoints, finished_run, load_data, load_network
from neuronsim.training.ttfs.trials import decide_times

HERE = Path(__file__).parent
RESULTS = HERE / "training.json"
SEEDS = (0, 1, 2)
# Second pole at 20 / tau, threshold ramp of 5 % per tau, and one of 20 %; phase steps small enough for the detector to stay
# linear. Name of the card and of the run trained through it: what is set in the netlist.
CIRCUITS = {
    ("slow", "through_circuit"): {"r": "20", "ramp": "0.05", "kphi": "0.02"},
    ("steep", "through_steep"): {"r": "20", "ramp": "0.2", "kphi": "0.02"},
}
CHIP_IMAGES = 300  # test images on each of the 20 chips


class Bench:
    """Where the runs lie, and what all parts share."""

    def __init__(
        self, out: Path, data_dir: Path | None, jobs: int, seeds: Sequence[int], images: int | None = None
    ) -> None:
        self.out, self.data_dir, self.jobs, self.seeds, self.images = out, data_dir, jobs, seeds, images
        self.runs: dict[str, dict[str, Any]] = {}

    def train(self, experiment: str, name: str, **options: Any) -> Path:
        """The run folder ``name``, trained now if it is not yet."""
        run = train(experiment, out=self.out / name, data_dir=self.data_dir, threads=self.jobs, **options)
        self.note(run)
        return run

    def note(self, run: Path) -> None:
        """Remember the experiment of a run folder, and of the run that it started from, for the provenance of the part."""
        record = finished_run(run)
        start = Path(record.start).parent.name if record.start else None
        self.runs[run.name] = {
            "experiment": record.experiment,
            "seed": record.seed,
            "digest": record.experiment_digest,
            "start": start,
        }
        if start and start not in self.runs and (self.out / start / "run.json").is_file():
            self.note(self.out / start)

    def answers(self, run: Path, kept: Kept, path: Path | None = None) -> NDArray[np.bool_]:
        """Right or wrong per test image of one checkpoint: on exact neurons, or on the nominal chip of a card."""
        experiment = load_experiment(run / "experiment.toml")
        model = None if path is None else as_card(path, TTFSCard)
        dataset = load_data(run, experiment, self.data_dir)
        network = build(experiment, dataset, kept.path)
        network.bits = kept.bits
        right = []
        with use_threads(self.jobs), torch.no_grad():
            for z, labels in PlainBatches(dataset.test, experiment):
                times = network(z).numpy() if model is None else run_on_card(network, z, model).times
                right.append(decide_times(times) == labels.numpy())
        return np.concatenate(right)

    def summary(self, run: Path) -> dict[str, Any]:
        """Figures and learning curve of a finished run."""
        with (run / "metrics.csv").open(encoding="utf-8") as stream:
            rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]
        record = finished_run(run)
        answers = {kept.bits or 32: self.answers(run, kept) for kept in checkpoints(run)}
        return {
            "test_accuracy": {str(bits): float(right.mean()) for bits, right in answers.items()},
            "n_images": len(next(iter(answers.values()))),
            "validation_accuracy": [best and best["val_accuracy"] for best in record.bests],
            "seconds": sum(row["seconds"] for row in rows),
            "epochs": len(rows),
            "curve": {
                name: [row[name] for row in rows] for name in ("stage", "train_loss", "train_accuracy", "val_accuracy")
            },
        }


def mnist(bench: Bench) -> dict[str, Any]:
    """The MNIST network of paper 004, three seeds, full precision."""
    return {str(seed): bench.summary(bench.train("mnist_ttfs", f"mnist_{seed}", seed=seed)) for seed in bench.seeds}


def quantized(bench: Bench) -> dict[str, Any]:
    """Quantization-aware training of each of them: 8, 4, 2 bits."""
    return {
        str(seed): bench.summary(bench.train("mnist_qat", f"qat_{seed}", seed=seed, start=bench.out / f"mnist_{seed}"))
        for seed in bench.seeds
    }


def fashion(bench: Bench) -> dict[str, Any]:
    """The same network and recipe on Fashion-MNIST."""
    return {"0": bench.summary(bench.train("fashion_ttfs", "fashion_0"))}


def card(bench: Bench, name: str, plan: str, *options: str) -> Path:
    """A card of ``pll_nlif_averaged``, characterized in ngspice now if it is not yet."""
    return made_card("pll_nlif_averaged", bench.out / f"{name}.json", plan, *options)


def _set(parameters: dict[str, str]) -> list[str]:
    """Options of ``characterize`` that replace parameters of the netlist."""
    return [part for name, value in parameters.items() for part in ("--set", f"{name}={value}")]


def averaged(bench: Bench) -> Path:
    """Card of the averaged neuron as its manifest has it."""
    return card(bench, "averaged", "card")


def plain(bench: Bench) -> Path:
    """The network of seed 0, trained on exact neurons."""
    return bench.train("mnist_ttfs", "mnist_0", seed=0)


def in_range(bench: Bench) -> Path:
    """A network whose neurons stay within the linear range of the averaged neuron's detector."""
    return bench.train("mnist_in_range", "in_range", card=averaged(bench))


def on_chips(bench: Bench, path: Path, run: str, out: str) -> dict[str, Any]:
    """The plain network, the one in range and one trained under noise, on the same 20 chips of the card at ``path``."""
    aware = bench.train("mnist_on_card", run, start=in_range(bench), card=path)
    plan = RobustnessPlan(only=("card",), images=bench.images or CHIP_IMAGES)
    shared: dict[str, Any] = {"card": path, "data_dir": bench.data_dir, "jobs": bench.jobs}
    (study,) = stress([plain(bench), in_range(bench), aware], plan, bench.out / out, **shared)
    return Study.load(study).model_dump(mode="json")


def noise(bench: Bench) -> dict[str, Any]:
    """On chips of the averaged neuron."""
    return on_chips(bench, averaged(bench), "on_card", "noise")


def detector(bench: Bench) -> list[dict[str, Any]]:
    """How many neurons leave the detector's linear range on the nominal averaged neuron, and what that costs."""
    model, found = as_card(averaged(bench), TTFSCard), []
    for run in (plain(bench), in_range(bench)):
        experiment, network = load_experiment(run / "experiment.toml"), load_network(run, bench.data_dir)[0]
        images = load_data(run, experiment, bench.data_dir).test.take(np.arange(bench.images or CHIP_IMAGES))
        right, beyond, neurons = [], 0, 0
        with use_threads(bench.jobs):
            for z, labels in PlainBatches(images, experiment):
                passed = run_on_card(network, z, model)
                right.append(decide_times(passed.times) == labels.numpy())
                beyond, neurons = beyond + passed.out_of_range, neurons + sum(passed.neurons)
        about = {"kphi_rad": model.provenance.parameters["kphi"], "beyond_range": beyond / neurons}
        found.append(_row(run, model.neuron, np.concatenate(right)) | about)
    return found


def transistor(bench: Bench) -> dict[str, Any]:
    """On chips of the transistor neuron, the card of ``make bench-transistor``."""
    return on_chips(bench, HERE / "transistor_card.json", "on_transistor", "noise_transistor")


def circuit(bench: Bench) -> dict[str, Any]:
    """Fine-tuning with exact neurons, and through circuits with a second pole and a ramp: test accuracy on both."""
    start = plain(bench)
    exact = bench.train("mnist_finetune", "finetuned", start=start)
    rows, differences = [_row(exact, None, _deployed(bench, exact))], []
    for (name, run), parameters in CIRCUITS.items():
        path = card(bench, name, "transfer,ramp", *_set(parameters))
        through = bench.train("mnist_through_circuit", run, start=start, card=path)
        on = f"ramp {float(parameters['ramp']):.0%} per tau, r = {parameters['r']}"
        put, trained = _deployed(bench, exact, path), _deployed(bench, through, path)
        rows += [_row(exact, on, put), _row(through, on, trained)]
        mean, low, high = paired_images(trained, put)
        differences.append(
            {"run": through.name, "reference": exact.name, "on": on, "mean": mean, "low": low, "high": high}
        )
    return {"rows": rows, "differences": differences}


def _deployed(bench: Bench, run: Path, path: Path | None = None) -> NDArray[np.bool_]:
    return bench.answers(run, checkpoints(run)[-1], path)


def _row(run: Path, on: str | None, right: NDArray[np.bool_]) -> dict[str, Any]:
    """Accuracy of a run on exact neurons (``on`` None) or on a circuit, with its Wilson interval over the images."""
    accuracy, n = float(right.mean()), len(right)
    low, high = wilson(accuracy, n)
    epochs = sum(stage.epochs for stage in load_experiment(run / "experiment.toml").stages)
    return {"run": run.name, "on": on, "epochs": epochs, "accuracy": accuracy, "n_images": n, "low": low, "high": high,
            "right": pack(right)}  # fmt: skip


def robustness(bench: Bench) -> dict[str, Any]:
    """Weights of few bits, weight noise, jitter (all test images) of seed 0; energy of the networks that live on chips."""
    path = HERE / "transistor_card.json"
    shared: dict[str, Any] = {
        "out": bench.out / "robustness",
        "data_dir": bench.data_dir,
        "jobs": bench.jobs,
        "card": path,
    }
    exact, on_chip = (
        [bench.out / name for name in names] for names in (("mnist_0", "qat_0"), ("in_range", "on_transistor"))
    )
    for run in (*exact, *on_chip):
        bench.note(run)
    paths = stress(exact, RobustnessPlan(only=("quantization", "snr", "jitter"), images=bench.images), **shared)
    # every chip is run: on as many images as the other studies on chips
    few = min(bench.images or CHIP_IMAGES, CHIP_IMAGES)
    paths += stress(on_chip, RobustnessPlan(only=("energy",), images=few), **shared)
    return {path.stem: Study.load(path).model_dump(mode="json") for path in paths}


PARTS: dict[str, Callable[[Bench], Any]] = {
    "mnist": mnist,
    "quantized": quantized,
    "fashion": fashion,
    "detector": detector,
    "noise": noise,
    "transistor": transistor,
    "circuit": circuit,
    "robustness": robustness,
}


def _command(options: argparse.Namespace) -> str:
    """What was asked for: the make target, or the parts and seeds chosen instead."""
    if options.only is None and tuple(options.seeds) == SEEDS and options.images is None:
        return "make bench-training"
    only = f" --only {' '.join(options.only)}" if options.only else ""
    images = f" --images {options.images}" if options.images else ""
    return f"python tests/benchmarks/train_networks.py{only} --seeds {' '.join(map(str, options.seeds))}{images}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is not trained yet and write everything down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/bench-training"))
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--only", choices=sorted(PARTS), nargs="*", help="parts to bring up to date (default: all)")
    parser.add_argument("--images", type=int, help=f"of the studies (default: {CHIP_IMAGES} on chips, else all)")
    parser.add_argument("--table", action="store_true", help="only write plot and docs/measured.md from the results")
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="another file, to try something: no plot, no page"
    )
    options = parser.parse_args(arguments)
    results = json.loads(options.results.read_text(encoding="utf-8")) if options.results.is_file() else {}
    for name in () if options.table else options.only or PARTS:
        bench = Bench(options.out, options.data_dir, options.jobs, options.seeds, options.images)
        found = PARTS[name](bench)
        results[name] = {
            "date": datetime.date.today().isoformat(),
            "machine": machine_line(f"torch {torch.__version__}"),
            "command": _command(options),
            "runs": bench.runs,
            "results": found,
        }
        write_text(options.results, json.dumps(results, indent=1) + "\n")
    table = measured_table(results)
    if options.results == RESULTS:
        plot(results, PLOT)
        write_block("training", "bench-training", table)
    print(table)


if __name__ == "__main__":
    main()
