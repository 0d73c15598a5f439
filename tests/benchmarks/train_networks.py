"""Train the networks whose accuracies the README quotes, and put them on cards.

Run by ``make bench-training`` (hours; every part goes on where it was interrupted). Writes training.json beside this file
(figures, learning curves, machine, date, command), training.png and the README's table. Every choice was made on the
validation images, which are part of the training set; each network kept meets the test images once.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from record import machine_line, write_readme

from neuronsim.errors import InputError
from neuronsim.files import write_text
from neuronsim.studies import Study
from training import load_experiment, stress, train
from training.batches import PlainBatches
from training.deployed import build, checkpoints, load_data, load_network
from training.injection import run_on_card
from training.module import decide
from training.runs import as_ttfs_card
from training.ttfs.parallel import use_threads

HERE = Path(__file__).parent
RESULTS, PLOT = HERE / "training.json", HERE / "training.png"
SEEDS = (0, 1, 2)
# Second pole at 20 / tau, threshold ramp of 5 % per tau, and one of 20 %; phase steps small enough for the detector to stay
# linear. Name of the card and of the run trained through it: what is set in the netlist.
CIRCUITS = {
    ("slow", "through_circuit"): {"r": "20", "ramp": "0.05", "kphi": "0.02"},
    ("steep", "through_steep"): {"r": "20", "ramp": "0.2", "kphi": "0.02"},
}
# Phase step per unit weight: at the manifest's 0.3 rad a fifth of this network's neurons leave the detector's linear range and
# accuracy falls to 5 %; smaller steps are noisier (checked on 200 images and 4 chips: 99 %).
STEPS = {"kphi": "0.06"}
CHIP_IMAGES = 500  # test images on each of the 20 chips


class Bench:
    """Where the runs lie, and what all parts share."""

    def __init__(self, out: Path, data_dir: Path | None, jobs: int, seeds: Sequence[int]) -> None:
        self.out, self.data_dir, self.jobs, self.seeds = out, data_dir, jobs, seeds

    def train(self, experiment: str, name: str, **options: Any) -> Path:
        """The run folder ``name``, trained now if it is not yet."""
        return train(experiment, out=self.out / name, data_dir=self.data_dir, threads=self.jobs, **options)

    def command(self, *arguments: str) -> None:
        """A command of the package, as a person would give it."""
        subprocess.run([sys.executable, "-m", "neuronsim", *arguments], check=True)

    def accuracies(self, run: Path) -> dict[str, float]:
        """Test accuracy of the best network of every stage, at the resolution it was trained for."""
        experiment = load_experiment(run / "experiment.toml")
        dataset = load_data(run, experiment, self.data_dir)
        found = {}
        with use_threads(self.jobs), torch.no_grad():
            for kept in checkpoints(run):
                network = build(experiment, dataset, kept.path)
                network.bits = kept.bits
                right = [
                    int((decide(network(z)) == labels).sum()) for z, labels in PlainBatches(dataset.test, experiment)
                ]
                found["32" if kept.bits is None else str(kept.bits)] = sum(right) / len(dataset.test)
        return found

    def on_nominal(self, run: Path, path: Path) -> float:
        """Test accuracy of a run on the nominal circuit of a card."""
        experiment, model = load_experiment(run / "experiment.toml"), as_ttfs_card(path)
        if model is None:
            raise InputError(f"no card {path}")
        network, dataset = load_network(run, self.data_dir)
        right = 0
        with use_threads(self.jobs):
            for z, labels in PlainBatches(dataset.test, experiment):
                right += int((run_on_card(network, z, model).times.argmin(axis=1) == labels.numpy()).sum())
        return right / len(dataset.test)

    def summary(self, run: Path) -> dict[str, Any]:
        """Figures and learning curve of a finished run."""
        with (run / "metrics.csv").open(encoding="utf-8") as stream:
            rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        return {
            "test_accuracy": self.accuracies(run),
            "validation_accuracy": [best and best["val_accuracy"] for best in record["bests"]],
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
    dataset, path = bench.out / f"{name}.nc", bench.out / f"{name}.json"
    if not path.is_file():
        bench.command("characterize", "pll_nlif_averaged", "--plan", plan, "--out", str(dataset), *options)
        bench.command("calibrate", str(dataset), "--out", str(path))
    return path


def _set(parameters: dict[str, str]) -> list[str]:
    """Options of ``characterize`` that replace parameters of the netlist."""
    return [part for name, value in parameters.items() for part in ("--set", f"{name}={value}")]


def on_chips(bench: Bench, path: Path, run: str, out: str) -> dict[str, Any]:
    """Plain and noise-aware fine-tuning, both on the same 20 chips of the card at ``path``."""
    start = bench.out / "mnist_0"
    plain = bench.train("mnist_finetune", "finetuned", start=start)
    aware = bench.train("mnist_on_card", run, start=start, card=path)
    (study,) = stress(
        [plain, aware],
        card=path,
        only=["card"],
        images=CHIP_IMAGES,
        out=bench.out / out,
        data_dir=bench.data_dir,
        threads=bench.jobs,
    )
    return Study.load(study).model_dump(mode="json")


def noise(bench: Bench) -> dict[str, Any]:
    """On chips of the averaged neuron, its phase steps scaled."""
    return on_chips(bench, card(bench, "scaled", "card", *_set(STEPS)), "on_card", "noise")


def transistor(bench: Bench) -> dict[str, Any]:
    """On chips of the transistor neuron, the card of ``make bench-transistor``."""
    return on_chips(bench, HERE / "transistor_card.json", "on_transistor", "noise_transistor")


def circuit(bench: Bench) -> dict[str, Any]:
    """Fine-tuning with the ideal kernel, and through circuits with a second pole and a ramp: test accuracy on both."""
    start = bench.out / "mnist_0"
    plain = bench.train("mnist_finetune", "finetuned", start=start)
    found = {"ideal kernel": bench.accuracies(plain)["32"]}
    for (name, run), parameters in CIRCUITS.items():
        path = card(bench, name, "transfer,ramp", *_set(parameters))
        through = bench.train("mnist_through_circuit", run, start=start, card=path)
        about = f"ramp {float(parameters['ramp']):.0%} per tau, r = {parameters['r']}"
        found[f"exact neurons, put on the circuit ({about})"] = bench.on_nominal(plain, path)
        found[f"trained through the circuit ({about})"] = bench.on_nominal(through, path)
    return found


PARTS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "mnist": mnist,
    "quantized": quantized,
    "fashion": fashion,
    "noise": noise,
    "transistor": transistor,
    "circuit": circuit,
}


def plot(results: dict[str, Any]) -> None:
    """Validation accuracy per epoch of the MNIST runs and, behind them, of their quantization, stages shaded."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    stages: list[str] = []
    for seed, run in results["mnist"].items():
        values, stages = list(run["curve"]["val_accuracy"]), ["32 bit"] * len(run["curve"]["val_accuracy"])
        further = results.get("quantized", {}).get(seed)
        if further:
            values += further["curve"]["val_accuracy"]
            stages += [f"{bits} bit" for stage in further["curve"]["stage"] for bits in [(8, 4, 2)[int(stage)]]]
        axes.plot(range(1, len(values) + 1), [100 * value for value in values], label=f"seed {seed}")
    for number, stage in enumerate(dict.fromkeys(stages)):
        first, last = stages.index(stage), len(stages) - 1 - stages[::-1].index(stage)
        axes.axvspan(first + 0.5, last + 1.5, color="0.5", alpha=0.12 * (number % 2), lw=0)
        axes.annotate(stage, ((first + last + 2) / 2, 0.02), xycoords=("data", "axes fraction"), ha="center")
    axes.set(
        xlabel="epoch",
        ylabel="validation accuracy / %",
        ylim=(97, 99.6),
        title="mnist_ttfs, then mnist_qat",
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.08))
    figure.savefig(PLOT, dpi=150)
    plt.close(figure)


def readme_table(results: dict[str, Any]) -> str:
    """The figures as the README shows them."""
    rows: list[tuple[str, str]] = []
    if "mnist" in results:
        for part, widths in (("mnist", ("32",)), ("quantized", ("8", "4", "2"))):
            runs = list(results.get(part, {}).values())
            for bits in widths if runs else ():
                values = [run["test_accuracy"][bits] for run in runs]
                spread = " / ".join(f"{value:.2%}" for value in values)
                rows.append(
                    (f"MNIST, {bits} bit, mean of {len(runs)} seeds", f"**{statistics.mean(values):.2%}** ({spread})")
                )
        minutes = statistics.mean(run["seconds"] for run in results["mnist"].values()) / 60
        rows.append(("training time of one seed, full precision", f"{minutes:.0f} min"))
    if "fashion" in results:
        rows.append(("Fashion-MNIST, same recipe", f"{results['fashion']['0']['test_accuracy']['32']:.2%}"))
    rows += [(f"MNIST, fine-tuned: {name}", f"{value:.2%}") for name, value in results.get("circuit", {}).items()]
    for part in ("noise", "transistor"):
        for point in results.get(part, {}).get("points", []):
            value = f"{point['accuracy']:.2%} [{point['low']:.2%}, {point['high']:.2%}]"
            if point["interval"] == "draws":
                value += f", worst of {len(point['draws'])} chips {point['worst']:.2%}"
            study = results[part]
            rows.append((f"{study['card']}: {point['network']}, {point['series']}, {study['n_images']} images", value))
    lines = ["| network | test accuracy |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""]
    if "mnist" in results:
        lines += [f"![validation accuracy by epoch](tests/benchmarks/{PLOT.name})", ""]
    return "\n".join(
        [*lines, f"{results['date']}, {results['machine']}; `{results['command']}`, tests/benchmarks/training.json"]
    )


def _command(options: argparse.Namespace) -> str:
    """What was asked for: the make target, or the parts and seeds chosen instead."""
    if options.only is None and tuple(options.seeds) == SEEDS:
        return "make bench-training"
    only = f" --only {' '.join(options.only)}" if options.only else ""
    return f"python tests/benchmarks/train_networks.py{only} --seeds {' '.join(map(str, options.seeds))}"


def main() -> None:
    """Train what is not trained yet and write everything down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/bench-training"))
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--only", choices=sorted(PARTS), nargs="*", help="parts to bring up to date (default: all)")
    options = parser.parse_args()
    bench = Bench(options.out, options.data_dir, options.jobs, options.seeds)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    for name in options.only or PARTS:
        results[name] = PARTS[name](bench)
        results |= {
            "date": datetime.date.today().isoformat(),
            "machine": machine_line(f"torch {torch.__version__}"),
            "command": _command(options),
        }
        write_text(RESULTS, json.dumps(results, indent=1) + "\n")
    if "mnist" in results:
        plot(results)
    table = readme_table(results)
    write_readme("training", "bench-training", table)
    print(table)


if __name__ == "__main__":
    main()
