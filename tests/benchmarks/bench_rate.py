"""Speed of the event engine on 784-1200-1200-10: with and without noisy weights, and against naive sampling.

python tests/benchmarks/bench_rate.py [--images N] [--checkpoint FILE] -> tests/benchmarks/rate.json

Without a checkpoint the weights are random, of the spread that He's rule gives, and the thresholds data-based: the activity
(spikes per step and layer) is in the result. One thread; "cpu" is the thread's own time, which other work on the machine does
not lengthen as it does the wall time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from neuronsim.files import write_text
from training.data import load
from training.rate.ann import build, pixels
from training.rate.conversion import convert, largest_inputs
from training.rate.engine import EventEngine
from training.rate.noise import WeightNoise
from training.ttfs.parallel import use_threads

IMAGES, STEPS = 10_000, 1000
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
    parser.add_argument("--images", type=int, default=10)
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
    with use_threads(1):
        for name, noise in (("noise-free", None), ("noisy", WeightNoise(level=1.0))):
            engine = EventEngine(spiking, noise)
            engine.run(images[:1], 10)
            result, wall, cpu = clocked(partial(engine.run, images, STEPS))
            per_step = len(images) * STEPS
            found[name] = {
                "wall_us_per_step": 1e6 * wall / per_step,
                "cpu_us_per_step": 1e6 * cpu / per_step,
                "cpu_minutes_for_10000_images_x_1000_steps_on_2_cores": cpu / per_step * IMAGES * STEPS / 60 / 2,
                "spikes_per_step": (result.spikes.mean(axis=0) / STEPS).tolist(),
                "events_per_second": float(result.events.sum()) / cpu,
            }
        noisy = found["noisy"]
        weights = [np.ascontiguousarray(w.detach().numpy().T) for w in network.parameters()]
        generator = np.random.default_rng(0)
        active = [
            generator.choice(w.shape[0], max(1, round(s)), replace=False)
            for w, s in zip(weights, noisy["spikes_per_step"], strict=False)
        ]
        for name, every, times in (("naive, every synapse", True, 5), ("naive, active synapses", False, 50)):
            naive_step(weights, active, generator, every)
            _, wall, cpu = clocked(partial(naive_steps, times, weights, active, generator, every))
            found[name] = {
                "wall_us_per_step": 1e6 * wall / times,
                "cpu_us_per_step": 1e6 * cpu / times,
                "times_slower_than_the_engine": cpu / times * 1e6 / noisy["cpu_us_per_step"],
            }
    clean = found["noise-free"]
    noise_costs = noisy["cpu_us_per_step"] / clean["cpu_us_per_step"] - 1
    about = {
        "command": f"python tests/benchmarks/bench_rate.py --images {options.images}"
        + (" --checkpoint FILE" if options.checkpoint else ""),
        "network": "784-1200-1200-10, " + ("trained" if options.checkpoint else "random weights"),
        "data": data.source,
        "images": len(images),
        "steps": STEPS,
        "processor": platform.processor() or platform.machine(),
        "load_average_1min": os.getloadavg()[0],
    }
    write_text(options.out, json.dumps({**about, **found, "noise_costs": noise_costs}, indent=1) + "\n")
    print(options.out.read_text())


if __name__ == "__main__":
    main()
