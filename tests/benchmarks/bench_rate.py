"""Speed of the event engine on 784-1200-1200-10: with and without noisy weights, and against naive sampling.

python tests/benchmarks/bench_rate.py [--images N] [--checkpoint FILE] [--whole] -> tests/benchmarks/rate.json, docs/measured.md

Without a checkpoint the weights are random, of the spread that He's rule gives, and the thresholds data-based: the activity
(spikes per step and layer) is in the result. One thread, noise-free and noisy runs in turn, medians; "cpu" is the thread's own
time, which other work on the machine does not lengthen as it does the wall time. ``--whole``: besides, the noisy run of all
10,000 test images on all cores.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from record import machine_line, write_block

from neuronsim.atomic_write import write_text
from neuronsim.progress import bar
from neuronsim.training.compiled.threads import use_threads
from neuronsim.training.datasets.catalogue import load
from neuronsim.training.rate.conversion import convert, largest_inputs
from neuronsim.training.rate.engine import EventEngine
from neuronsim.training.rate.noise import WeightNoise
from neuronsim.training.studies.noisy_weights.networks import build, pixels

IMAGES, STEPS = 10_000, 1000
# What a program that perturbs its weight matrices does in every step, and what one does that knows where spikes are.
NAIVE = {
    "every synapse": "every synapse in every step (a dense program)",
    "active synapses": "only those synapses that pass a spike",
}
T = TypeVar("T")


def clocked(call: Callable[[], T]) -> tuple[T, float, float]:
    """What ``call`` returns, (wall, thread's own) seconds."""
    wall, cpu = time.perf_counter(), time.thread_time()
    result = call()
    return result, time.perf_counter() - wall, time.thread_time() - cpu


def naive_step(
    weights: list[np.ndarray], active: list[np.ndarray], generator: np.random.Generator, every: bool
) -> None:
    """One step with a draw per synapse: of all of them (``every``), or only of those that pass a spike."""
    for weight, index in zip(weights, active, strict=True):
        if every:
            noisy = weight + weight * generator.standard_normal(weight.shape, dtype=np.float32)
            spikes = np.zeros(weight.shape[0], np.float32)
            spikes[index] = 1
            spikes @ noisy
        else:
            rows = weight[index]
            (rows + rows * generator.standard_normal(rows.shape, dtype=np.float32)).sum(axis=0)


def naive_steps(times: int, *arguments: Any) -> None:
    """``times`` calls of :func:`naive_step`."""
    for _ in range(times):
        naive_step(*arguments)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=15)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--data-dir", default=os.environ.get("NEURONSIM_DATA"))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("rate.json"))
    options = parser.parse_args()
    data = load("mnist-5k" if options.data_dir is None else "mnist", options.data_dir)
    x = pixels(data.test)
    network = build("fc")
    torch.manual_seed(0)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=(2 / weight.shape[1]) ** 0.5)
    if options.checkpoint:
        network.load_state_dict(torch.load(options.checkpoint, weights_only=True)["network"])
    spiking = convert(network, (28, 28, 1), largest_inputs(network, x[:1000]))
    images = x[: options.images].permute(0, 2, 3, 1).numpy()
    found: dict[str, dict[str, Any]] = {}
    engines = {"noise-free": EventEngine(spiking), "noisy": EventEngine(spiking, WeightNoise(level=1.0))}
    with use_threads(1):
        for engine in engines.values():
            engine.run(images[:1], 10)
        # (wall, cpu) of every image, both engines in turn, so that a busy spell of the machine meets both
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in engines}
        work: dict[str, list[tuple[np.ndarray, float]]] = {name: [] for name in engines}
        for number in range(len(images)):
            for name, engine in engines.items():
                result, *spent = clocked(partial(engine.run, images[number : number + 1], STEPS, first=number))
                times[name].append((spent[0], spent[1]))
                work[name].append((result.spikes[0] / STEPS, float(result.events[0])))
        costs = [noisy[1] / clean[1] - 1 for clean, noisy in zip(times["noise-free"], times["noisy"], strict=True)]
        for name in engines:
            wall, cpu = np.median(times[name], axis=0) / STEPS
            found[name] = {
                "wall_us_per_step": 1e6 * wall,
                "cpu_us_per_step": 1e6 * cpu,
                "cpu_minutes_for_10000_images_x_1000_steps_on_2_cores": cpu * IMAGES * STEPS / 60 / 2,
                "spikes_per_step": np.mean([spikes for spikes, _ in work[name]], axis=0).tolist(),
                "events_per_second": sum(events for _, events in work[name]) / sum(spent for _, spent in times[name]),
            }
        noisy = found["noisy"]
        weights = [np.ascontiguousarray(w.detach().numpy().T) for w in network.parameters()]
        generator = np.random.default_rng(0)
        active = [
            generator.choice(w.shape[0], max(1, round(s)), replace=False)
            for w, s in zip(weights, noisy["spikes_per_step"], strict=False)
        ]
        for name, every, count in (("naive, every synapse", True, 5), ("naive, active synapses", False, 50)):
            naive_step(weights, active, generator, every)
            _, wall, cpu = clocked(partial(naive_steps, count, weights, active, generator, every))
            found[name] = {
                "wall_us_per_step": 1e6 * wall / count,
                "cpu_us_per_step": 1e6 * cpu / count,
                "times_slower_than_the_engine": cpu / count * 1e6 / noisy["cpu_us_per_step"],
            }
    if options.whole:
        everything = x.permute(0, 2, 3, 1).numpy()
        with bar("all test images", len(everything)) as moving:
            result, wall, cpu = clocked(partial(engines["noisy"].run, everything, STEPS, advanced=moving.advance))
        right = float((result.prediction[:, -1] == data.test.labels).mean())
        found["whole"] = {"images": len(everything), "minutes": wall / 60, "accuracy": right}
    about = {
        "command": f"python tests/benchmarks/bench_rate.py --images {options.images}"
        + (" --checkpoint FILE" if options.checkpoint else "")
        + (" --whole" if options.whole else ""),
        "network": "784-1200-1200-10, " + ("trained" if options.checkpoint else "random weights"),
        "data": data.source,
        "images": len(images),
        "steps": STEPS,
        "machine": machine_line(),
        "date": datetime.date.today().isoformat(),
        "load_average_1min": os.getloadavg()[0],
        "noise_costs": float(np.median(costs)),
        "noise_costs_quartiles": np.quantile(costs, [0.25, 0.75]).tolist(),
    }
    results = {**about, **found}
    write_text(options.out, json.dumps(results, indent=1) + "\n")
    table = measured_table(results)
    write_block("rate-bench", "bench-rate", table)
    print(table)


def measured_table(results: dict[str, Any]) -> str:
    """The figures as docs/measured.md has them."""
    low, high = results["noise_costs_quartiles"]
    rows = [
        (f"one step of {results['network']}, one thread, noise-free", f"{results['noise-free']['cpu_us_per_step']:.1f} us"),
        ("the same with noisy weights", f"{results['noisy']['cpu_us_per_step']:.1f} us"),
        ("noise costs, median (quartiles) over images", f"{results['noise_costs']:.0%} ({low:.0%} to {high:.0%})"),
    ]  # fmt: skip
    rows += [
        (f"a draw for {what}", f"{results[f'naive, {kind}']['times_slower_than_the_engine']:.0f} times slower")
        for kind, what in NAIVE.items()
    ]
    if "whole" in results:
        whole = results["whole"]
        rows.append(
            (
                f"{whole['images']} images x {results['steps']} steps with noise, all cores",
                f"{whole['minutes']:.1f} min",
            )
        )
    lines = ["| figure | measured |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""]
    return "\n".join(
        [*lines, f"{results['date']}, {results['machine']}; `{results['command']}`, tests/benchmarks/rate.json"]
    )


if __name__ == "__main__":
    main()
