"""Measure the TTFS engine against the published algorithm and a plain product of the same shape, in one run.

Run by ``make bench-ttfs`` on an idle machine: ttfs.json and ttfs.png beside this file, and the table of docs/measured.md.
Every case runs in a fresh process (ttfs_cases.py).
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from record import write_block
from ttfs_figures import NAMES, TITLES, measured_table, plot

from neuronsim.atomic_write import write_text
from neuronsim.errors import MissingToolError
from neuronsim.progress import Bar, bar
from neuronsim.training import load_experiment, train
from neuronsim.training.datasets import catalogue as data
from neuronsim.training.ttfs.experiment_sections import Optimizer, TrainingStage

HERE = Path(__file__).parent
# batch and optimizer: the recipe of mnist_ttfs at two sizes, and the paper's batch with its optimizer
EPOCH_IMAGES = 60_000
EPOCHS = ((128, "soap"), (32, "soap"), (10, "adam"))


def run_case(*arguments: object) -> dict:
    """The figures of one case, from a fresh process."""
    command = [sys.executable, str(HERE / "ttfs_cases.py"), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise MissingToolError(
            f"the benchmark case {' '.join(map(str, arguments))} ended with {done.returncode}, see above"
        )
    return json.loads(done.stdout)


def measure(
    layers: list[str], threads: tuple[int, ...], batch: int, memory_batch: int, seconds: float, shown: Bar
) -> dict:
    """Timings and memory: ``layers`` -> {time: threads -> implementation, memory: implementation, identical, ratios}."""
    found: dict[str, dict] = {}
    for layer in layers:
        entry: dict = {"time": {}, "memory": {}}
        for count in threads:
            shown.note(f"{TITLES[layer]}, {count} threads")
            entry["time"][str(count)] = run_case("time", layer, count, batch, seconds)
            shown.advance()
        for name in NAMES:
            shown.note(f"{TITLES[layer]}, memory of the {NAMES[name]}")
            entry["memory"][name] = run_case("memory", layer, name, threads[-1], batch)
            shown.advance()
        entry["memory"]["engine at the larger batch"] = run_case("memory", layer, "engine", threads[-1], memory_batch)
        shown.advance()
        runs = entry["time"].values()
        entry["identical"] = all(
            len({run[name]["digest"] for run in runs}) == 1 for name in ("engine", "engine signed")
        )
        entry["ratios"] = {count: ratios(run) for count, run in entry["time"].items()}
        found[layer] = entry
    return found


def ratios(run: dict) -> dict[str, dict[str, float]]:
    """How many times faster than the published algorithm, and how many times the product's time, the engine is."""
    found = {}
    for kind in ("forward", "both"):
        published, engine, product = (run[name][kind]["median_ms"] for name in NAMES)
        found[kind] = {"published_over_engine": published / engine, "engine_over_product": engine / product}
    return found


def epoch(
    batch_size: int, optimizer: str, name: str, data_dir: str | None, epochs: int, threads: int
) -> dict[str, float | str]:
    """Seconds of one epoch of ``training.train`` on the MNIST network, validation included, scaled to 60,000 images.

    Augmentation, input noise and averaged weights are mnist_ttfs's; the median of the epochs after the first, in which
    kernels are compiled, or the only one.
    """
    experiment = load_experiment("mnist_ttfs")
    stage = TrainingStage(epochs=epochs, lr=1e-3, lr_end=1e-3, schedule="constant")
    chosen = Optimizer.model_validate({**experiment.optimizer.model_dump(), "name": optimizer})
    experiment = experiment.model_copy(
        update={"data": name, "batch_size": batch_size, "stages": (stage,), "optimizer": chosen}
    )
    images = len(data.load(name, data_dir).train)
    with tempfile.TemporaryDirectory() as folder:
        run = train(experiment, out=Path(folder) / "run", data_dir=data_dir, progress=False, threads=threads)
        with (run / "metrics.csv").open() as stream:
            spent = [float(row["seconds"]) for row in csv.DictReader(stream)]
    seconds = statistics.median(spent[1:] or spent)
    return {
        "data": name,
        "optimizer": optimizer,
        "images": images,
        "measured_s": seconds,
        "epoch_s": seconds * EPOCH_IMAGES / images,
    }


def machine() -> dict[str, object]:
    """What the figures depend on beside the code."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_average_at_start": os.getloadavg()[0],
        "versions": {"python": platform.python_version(), **{p: version(p) for p in ("torch", "numba", "numpy")}},
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure everything and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    part = parser.add_mutually_exclusive_group()
    part.add_argument(
        "--quick", action="store_true", help="one layer, batch 4, no epoch; docs/measured.md stays as it is"
    )
    part.add_argument("--table", action="store_true", help="only write plot and table from the stored figures")
    parser.add_argument(
        "--full", action="store_true", help="train on all of MNIST for the epoch figures (needs the data)"
    )
    part.add_argument(
        "--again", choices=list(TITLES), nargs="+", help="measure only these once more, where other work disturbed them"
    )
    parser.add_argument("--data-dir", default=os.environ.get("NEURONSIM_DATA"), help="folder with mnist/, for --full")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for ttfs.json and ttfs.png")
    chosen = parser.parse_args(arguments)
    if chosen.table:
        show(json.loads((chosen.out / "ttfs.json").read_text(encoding="utf-8")), chosen.out, page=chosen.out == HERE)
        return
    layers, threads = (["conv1"] if chosen.quick else chosen.again or list(TITLES)), (1, 2)
    batch, memory_batch, seconds = (4, 4, 0.02) if chosen.quick else (100, 128, 2.0)
    trainings = () if chosen.quick or chosen.again else EPOCHS
    before = json.loads((chosen.out / "ttfs.json").read_text(encoding="utf-8")) if chosen.again else {}
    now = {"date": datetime.date.today().isoformat(), "machine": machine()}
    results: dict = before or {
        **now,
        "command": "make bench-ttfs" + " FULL=1" * chosen.full + " (--quick)" * chosen.quick,
        "batch": batch,
        "memory_batch": memory_batch,
    }
    if before:
        results["again"] = {**before.get("again", {}), **dict.fromkeys(layers, now)}
    if now["machine"]["load_average_at_start"] > 0.3 * (os.cpu_count() or 1):
        print("this machine is busy: the figures will be too high, torch's most of all", file=sys.stderr)
    with bar("bench-ttfs", len(layers) * (len(threads) + 4) + len(trainings)) as shown:
        measured = measure(layers, threads, batch, memory_batch, seconds, shown)
        results["layers"] = {**before.get("layers", {}), **measured}
        results["epochs"] = before.get("epochs", {})
        for size, optimizer in trainings:
            shown.note(f"an epoch at batch {size}")
            name, epochs = ("mnist", 1) if chosen.full else ("mnist-5k", 3)
            results["epochs"][str(size)] = epoch(size, optimizer, name, chosen.data_dir, epochs, threads[-1])
            shown.advance()
    write_text(chosen.out / "ttfs.json", json.dumps(results, indent=1) + "\n")
    show(results, chosen.out, page=not chosen.quick and chosen.out == HERE)


def show(results: dict, out: Path, *, page: bool) -> None:
    """Plot, and the table on the screen and, if wanted, in docs/measured.md."""
    plot(results, out / "ttfs.png")
    table = measured_table(results)
    if page:
        write_block("ttfs-bench", "bench-ttfs", table)
    print(table)


if __name__ == "__main__":
    main()
