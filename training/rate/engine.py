"""The event-sparse engine for inference: compiled, on the CPU, image by image on all threads."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.errors import InputError

from ..compiled.random_numbers import stream
from ..compiled.threads import run_blocks
from . import kernels
from .graph import ENCODINGS, Dense, Encoding, Layer, RateNetwork
from .noise import WeightNoise
from .wiring import Runs, check_inputs, fan_outs, runs_of, tiles

_INPUT, _TEMPORAL, _FROZEN, _INFERENCE = 1, 2, 3, 4
_SUMS = 32768  # sums of a block of steps that a layer without tiles holds


@dataclass(frozen=True, kw_only=True, eq=False)
class Inference:
    """``prediction`` (images, steps): class after each step; ``counts`` (images, outputs): output spikes of the whole run.

    ``spikes`` (images, 1 + layers): spikes of the input and of each layer; ``events`` (images,): spikes times the synapses each
    drives.
    """

    prediction: NDArray[np.uint8]
    counts: NDArray[np.int32]
    spikes: NDArray[np.int64]
    events: NDArray[np.int64]

    def accuracy(self, labels: NDArray) -> NDArray[np.float64]:
        """Fraction of right images after each step, (steps,)."""
        return (self.prediction == np.asarray(labels)[:, None]).mean(axis=0)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Link:
    source: int
    mode: int
    noisy: bool
    tiles: NDArray[np.float32] | None
    listed: NDArray[np.float32] | None  # variances of tiles or of the runs' weights
    runs: Runs
    sigma: NDArray[np.float32] | None


class EventEngine:
    """A network made ready for many inferences, with or without noisy weights.

    ``noise``: see :class:`WeightNoise`; temporal noise and noise per inference need scope "sample" and unrolled kernels here
    (:class:`training.rate.noisy_reference.NoisyNetwork` has the others). ``chip``: number of the chip whose frozen draw is used.

    Raises InputError for noise that this engine cannot draw.
    """

    def __init__(self, network: RateNetwork, noise: WeightNoise | None = None, *, seed: int = 0, chip: int = 0) -> None:
        if seed < 0 or chip < 0:
            raise InputError(f"seed = {seed} and chip = {chip} must be 0 or positive")
        active = noise if noise is not None and noise.level > 0 else None
        if active is not None and active.kind != "frozen" and (active.scope, active.kernels) != ("sample", "unrolled"):
            raise InputError(
                f'{active.kind} noise with scope "{active.scope}" and "{active.kernels}" kernels is not for the event engine: '
                'use scope "sample" with "unrolled" kernels, or NoisyNetwork'
            )
        self.network, self.noise, self.seed, self.chip = network, active, seed, chip
        self._fan_out = fan_outs(network)
        self._links = [
            [self._prepare(n, k, layer, network.source(n, link)) for k, link in enumerate(layer.links)]
            for n, layer in enumerate(network.layers)
        ]
        self._thetas = [self._padded(n, network.thresholds[n], 1.0) for n in range(len(network.layers))]
        self._biases = [self._padded(n, network.biases[n], 0.0) for n in range(len(network.layers))]

    def synapses(self, number: int, k: int) -> Runs:
        """Link ``k`` of layer ``number`` with the weights that it has on this chip: frozen noise is in them."""
        return self._links[number][k].runs

    def _tiled(self, layer: Layer) -> bool:
        by_synapse = self.noise is not None and self.noise.kind == "temporal" and self.noise.sampling == "synapse"
        return len(layer.links) == 1 and isinstance(layer.links[0].synapses, Dense) and layer.spiking and not by_synapse

    def _prepare(self, number: int, k: int, layer: Layer, source: int) -> _Link:
        synapses, noise = layer.links[k].synapses, self.noise
        noisy = noise is not None and synapses.noisy
        kind = noise.kind if noise is not None and noisy else None
        own = kind in ("frozen", "inference") and noise is not None and noise.kernels == "unrolled"
        runs = runs_of(synapses, self.network.shape_of(source), unrolled=own)
        weight = runs.weight
        sigma = np.sqrt(noise.variance(weight)) if noise is not None and noisy else None
        if kind == "frozen" and sigma is not None:
            weight = np.empty_like(weight)
            kernels.perturb(runs.weight, sigma, weight, self._stream(_FROZEN, self.chip, number, k))
        mode = kernels.PLAIN
        if kind == "temporal" and noise is not None:
            mode = kernels.SQUARED if noise.law == "proportional" else kernels.LISTED
        listed = None if sigma is None or mode != kernels.LISTED else sigma * sigma
        tiled = None
        if self._tiled(layer) and isinstance(synapses, Dense):
            outputs, inputs = synapses.weight.shape
            tiled = tiles(weight.reshape(inputs, outputs).T)
            listed = None if listed is None else tiles(listed.reshape(inputs, outputs).T)
        runs = Runs(weight=weight, runs=runs.runs, target=runs.target, origin=runs.origin, length=runs.length)
        return _Link(source=source, mode=mode, noisy=noisy, tiles=tiled, listed=listed, runs=runs, sigma=sigma)

    def _padded(self, number: int, values: NDArray, filler: float) -> NDArray[np.float32]:
        n = math.prod(self.network.shapes[number])
        width = -(-n // kernels.TILE) * kernels.TILE if self._tiled(self.network.layers[number]) else n
        padded = np.full(width, filler, np.float32)
        padded[:n] = values
        return padded

    def _stream(self, *key: int) -> NDArray[np.uint64]:
        return stream(np.array((self.seed, *key), np.int64))

    def run(
        self,
        pixels: NDArray,
        steps: int,
        *,
        encoding: Encoding = "bernoulli",
        first: int = 0,
        trial: int = 0,
        advanced: Callable[[int], object] | None = None,
    ) -> Inference:
        """``steps`` steps for every image of ``pixels`` (n, ...), each from rest.

        Pixels are rates in [0, 1]; with encoding "constant" any finite values (a network's standardized inputs).
        Image i draws from the streams of (seed, trial, first + i): a part of a data set gives the same as the whole.
        ``advanced(n)`` is called whenever n images are done. Raises InputError for a wrong shape or values out of range.
        """
        if encoding not in ENCODINGS:
            raise InputError(f"encoding = '{encoding}' must be one of {', '.join(ENCODINGS)}")
        if steps < 1:
            raise InputError(f"steps = {steps} is out of range: at least 1")
        images = check_inputs(pixels, self.network, rates=encoding != "constant")

        def inputs(image: int) -> tuple[NDArray, NDArray, NDArray]:
            if encoding == "constant":
                return kernels.events_of_values(np.broadcast_to(images[image], (steps, images.shape[1])))
            key = np.array((self.seed, trial, first + image, _INPUT), np.int64)
            start, index = kernels.encode_events(images[image], steps, encoding == "bernoulli", key)
            return start, index, np.ones(len(index), np.float32)

        return self._run(len(images), steps, inputs, encoding != "constant", first, trial, advanced)

    def run_trains(self, trains: NDArray, *, trial: int = 0) -> Inference:
        """Given input trains (steps, images, ...) of any values; zero delivers nothing."""
        values = np.asarray(trains, dtype=np.float32).reshape(*np.shape(trains)[:2], -1)
        if values.shape[2] != self.network.n_inputs:
            raise InputError(f"trains {np.shape(trains)} do not fit the network's input {self.network.input_shape}")

        def inputs(image: int) -> tuple[NDArray, NDArray, NDArray]:
            return kernels.events_of_values(np.ascontiguousarray(values[:, image]))

        return self._run(values.shape[1], values.shape[0], inputs, bool(np.isin(values, (0, 1)).all()), 0, trial, None)

    def _run(
        self,
        n: int,
        steps: int,
        inputs: Callable[[int], tuple[NDArray, NDArray, NDArray]],
        unit: bool,
        first: int,
        trial: int,
        advanced: Callable[[int], object] | None,
    ) -> Inference:
        result = Inference(
            prediction=np.zeros((n, steps), np.uint8),
            counts=np.zeros((n, self.network.n_outputs), np.int32),
            spikes=np.zeros((n, 1 + len(self.network.layers)), np.int64),
            events=np.zeros(n, np.int64),
        )

        def some(low: int, high: int) -> None:
            for image in range(low, high):
                self._image(image, steps, inputs(image), unit, (trial, first + image), result)
                if advanced is not None:
                    advanced(1)

        run_blocks(some, n)
        return result

    def _image(
        self,
        image: int,
        steps: int,
        train: tuple[NDArray, NDArray, NDArray],
        unit: bool,
        key: tuple[int, int],
        result: Inference,
    ) -> None:
        delivered: list[tuple[NDArray, NDArray, NDArray]] = [train]
        units = [unit]
        last = len(self.network.layers) - 1
        for number, layer in enumerate(self.network.layers):
            n = math.prod(self.network.shapes[number])
            state = self._stream(_TEMPORAL, *key, number)
            if not layer.spiking:
                sums = np.zeros((steps, n), np.float32)
                spread = np.zeros((steps, n), np.float32)
                self._sum(number, delivered, 0, sums, spread, state, key)
                if np.any(spread):
                    noise = np.empty(spread.size, np.float32)
                    kernels.fill_normal(state, noise, noise.size)
                    sums += noise.reshape(sums.shape) * np.sqrt(self._scale() * spread)
                delivered.append(kernels.events_of_values(sums))
                units.append(False)
                continue
            # Rows are whole 64-bit words, so that silent neurons are passed over eight at a time.
            spikes = np.zeros((steps, -(-len(self._thetas[number]) // 8) * 8), np.uint8)
            potential = np.empty((steps if number == last else 0, len(self._thetas[number])), np.float32)
            if self._tiled(layer):
                self._dense(number, delivered, units, spikes, potential, state, key)
            else:
                self._general(number, delivered, spikes, potential, state, key)
            start, index = kernels.events_of_spikes(spikes, n)
            delivered.append((start, index, np.ones(len(index), np.float32)))
            units.append(True)
            if number == last:
                kernels.read_out(spikes, potential, n, result.prediction[image], result.counts[image])
        for place, (_, index, _) in enumerate(delivered):
            result.spikes[image, place] = len(index)
            result.events[image] += int(self._fan_out[place][index].sum())

    def _scale(self) -> float:
        noise = self.noise
        return noise.level**2 if noise is not None and noise.law == "proportional" else 1.0

    def _settings(self, number: int, noisy: bool) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        neuron = self.network.layers[number].neuron
        settings = np.array([neuron.decay, self._scale(), neuron.membrane_noise, neuron.threshold_jitter], np.float32)
        draws = noisy or neuron.membrane_noise > 0
        return settings, np.array([neuron.reset == "subtract", neuron.strict, neuron.refractory, draws], np.int64)

    def _weights(self, number: int, k: int, key: tuple[int, int]) -> NDArray[np.float32]:
        """Flat weights of a link, redrawn for this inference where the noise is per inference."""
        link = self._links[number][k]
        if self.noise is None or self.noise.kind != "inference" or link.sigma is None:
            return link.runs.weight
        drawn = np.empty_like(link.runs.weight)
        kernels.perturb(link.runs.weight, link.sigma, drawn, self._stream(_INFERENCE, *key, number, k))
        return drawn

    def _dense(
        self, number: int, delivered: Any, units: list[bool], spikes: Any, potential: Any, state: Any, key: Any
    ) -> None:
        link, layer = self._links[number][0], self.network.layers[number]
        weight = link.tiles
        if weight is None:
            raise InputError("this link has no tiles")
        if self.noise is not None and self.noise.kind == "inference" and link.sigma is not None:
            synapses = layer.links[0].synapses
            outputs, inputs = synapses.weight.shape if isinstance(synapses, Dense) else (0, 0)
            weight = tiles(self._weights(number, 0, key).reshape(inputs, outputs).T)
        listed = link.listed if link.listed is not None else weight[:1]
        start, index, amplitude = delivered[link.source + 1]
        settings, flags = self._settings(number, link.mode != kernels.PLAIN)
        kernels.dense_layer(
            weight, listed, link.mode, units[link.source + 1], start, index, amplitude, self.network.delay,
            self._thetas[number], self._biases[number], np.float32(layer.neuron.precharge), settings, flags, state, spikes,
            potential,
        )  # fmt: skip

    def _general(self, number: int, delivered: Any, spikes: Any, potential: Any, state: Any, key: Any) -> None:
        neuron, theta = self.network.layers[number].neuron, self._thetas[number]
        n, steps = len(theta), len(spikes)
        settings, flags = self._settings(number, any(link.mode != kernels.PLAIN for link in self._links[number]))
        limit = kernels.start_limits(theta, neuron.threshold_jitter, state)
        u = np.float32(neuron.precharge) * theta
        rest, held = np.zeros(n, np.int32), np.empty(n, np.float32)
        size = max(1, min(64, _SUMS // n))
        mean, spread, noise = (np.zeros((size, n), np.float32) for _ in range(3))
        row = spikes[:, :n]
        for first in range(0, steps, size):
            here = min(size, steps - first)
            mean[:], spread[:] = 0, 0
            self._sum(number, delivered, first, mean[:here], spread[:here], state, key)
            kernels.advance(
                u, held, rest, limit, theta, mean[:here], spread[:here], noise, settings, flags, self._biases[number], state, row,
                potential, first,
            )  # fmt: skip

    def _sum(self, number: int, delivered: Any, first: int, mean: Any, spread: Any, state: Any, key: Any) -> None:
        """Sums and variances of all links for the steps ``first``... ."""
        lag = self.network.delay if self.network.layers[number].spiking else 0
        for k, link in enumerate(self._links[number]):
            runs = link.runs
            start, index, amplitude = delivered[link.source + 1]
            wires = (runs.runs, runs.target, runs.origin, runs.length, start, index, amplitude, lag, first)
            if self.noise is not None and self.noise.sampling == "synapse" and link.sigma is not None and link.mode:
                kernels.block_scatter_by_synapse(runs.weight, link.sigma, *wires, mean, state)
                continue
            weight = self._weights(number, k, key)
            listed = link.listed if link.listed is not None else weight[:1]
            kernels.block_scatter(weight, listed, link.mode, *wires, mean, spread)
