"""The event-sparse engine for inference: compiled, on the CPU, image by image on all threads."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuronsim.errors import InputError

from ..compiled.random_numbers import stream
from ..compiled.threads import run_blocks
from . import kernels
from .event_trains import Events, encode_events, events_of_spikes, events_of_values, read_out, unit_events
from .graph import Dense, Encoding, RateNetwork, check_encoding
from .noise import WeightNoise
from .wiring import PreparedLayer, PreparedLink, Runs, check_inputs, dense_tiles, fan_outs, prepare

_INPUT, _TEMPORAL, _INFERENCE = 1, 2, 4  # streams; 3 is that of frozen noise
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


@dataclass(kw_only=True, eq=False)
class _Pass:
    """One image on its way: what the input and each layer so far delivered, and whether that are spikes of amplitude 1."""

    steps: int
    key: tuple[int, int]
    delivered: list[Events]
    units: list[bool]

    def deliver(self, events: Events, unit: bool) -> None:
        self.delivered.append(events)
        self.units.append(unit)


class EventEngine:
    """A network made ready for many inferences, with or without noisy weights.

    ``noise``: see :class:`WeightNoise`; temporal noise and noise per inference need scope "sample" and unrolled kernels here
    (:class:`training.rate.reference.NoisyNetwork` has the others). ``chip``: number of the chip whose frozen draw is used.

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
        self.network, self.noise, self.seed = network, active, seed
        self._fan_out = fan_outs(network)
        self._layers = [prepare(network, number, active, seed, chip) for number in range(len(network.layers))]
        self._scale = active.level**2 if active is not None and active.law == "proportional" else 1.0

    def synapses(self, number: int, k: int) -> Runs:
        """Link ``k`` of layer ``number`` with the weights that it has on this chip: frozen noise is in them."""
        return self._layers[number].links[k].runs

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
        check_encoding(encoding, steps)
        images = check_inputs(pixels, self.network, rates=encoding != "constant")

        def inputs(image: int) -> Events:
            if encoding == "constant":
                return Events(*events_of_values(np.broadcast_to(images[image], (steps, images.shape[1]))))
            key = np.array((self.seed, trial, first + image, _INPUT), np.int64)
            return unit_events(*encode_events(images[image], steps, encoding == "bernoulli", key))

        n, unit = len(images), encoding != "constant"
        result = Inference(
            prediction=np.zeros((n, steps), np.uint8),
            counts=np.zeros((n, self.network.n_outputs), np.int32),
            spikes=np.zeros((n, 1 + len(self.network.layers)), np.int64),
            events=np.zeros(n, np.int64),
        )

        def block(low: int, high: int) -> None:
            for image in range(low, high):
                run = _Pass(steps=steps, key=(trial, first + image), delivered=[inputs(image)], units=[unit])
                self._image(run, result.prediction[image], result.counts[image])
                for k, events in enumerate(run.delivered):
                    result.spikes[image, k] = len(events.index)
                    result.events[image] += int(self._fan_out[k][events.index].sum())
                if advanced is not None:
                    advanced(1)

        run_blocks(block, n)
        return result

    def _image(self, run: _Pass, prediction: NDArray, counts: NDArray) -> None:
        for layer in self._layers:
            state = self._stream(_TEMPORAL, *run.key, layer.number)
            if not layer.layer.spiking:
                run.deliver(Events(*events_of_values(self._passive(layer, run, state))), False)
                continue
            last = layer is self._layers[-1]
            # Rows are whole 64-bit words, so that silent neurons are passed over eight at a time.
            spikes = np.zeros((run.steps, -(-len(layer.theta) // 8) * 8), np.uint8)
            potential = np.empty((run.steps if last else 0, len(layer.theta)), np.float32)
            (self._dense if layer.tiled else self._general)(layer, run, spikes, potential, state)
            run.deliver(unit_events(*events_of_spikes(spikes, layer.n)), True)
            if last:
                read_out(spikes, potential, layer.n, prediction, counts)

    def _stream(self, *key: int) -> NDArray[np.uint64]:
        return stream(np.array((self.seed, *key), np.int64))

    def _settings(self, layer: PreparedLayer) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        neuron = layer.layer.neuron
        settings = np.array([neuron.decay, self._scale, neuron.membrane_noise, neuron.threshold_jitter], np.float32)
        draws = neuron.membrane_noise > 0 or any(link.mode != kernels.PLAIN for link in layer.links)
        return settings, np.array([neuron.reset == "subtract", neuron.strict, neuron.refractory, draws], np.int64)

    def _redrawn(self, link: PreparedLink) -> bool:
        """Whether the weights of ``link`` are drawn anew for each inference."""
        return self.noise is not None and self.noise.kind == "inference" and link.sigma is not None

    def _weights(self, layer: PreparedLayer, k: int, run: _Pass) -> NDArray[np.float32]:
        """Flat weights of a link in this inference."""
        link = layer.links[k]
        if not self._redrawn(link):
            return link.runs.weight
        drawn = np.empty_like(link.runs.weight)
        kernels.perturb(link.runs.weight, link.sigma, drawn, self._stream(_INFERENCE, *run.key, layer.number, k))
        return drawn

    def _passive(self, layer: PreparedLayer, run: _Pass, state: NDArray) -> NDArray[np.float32]:
        """What a layer without neurons hands on, (steps, n)."""
        sums, spread = (np.zeros((run.steps, layer.n), np.float32) for _ in range(2))
        self._sum(layer, run, 0, sums, spread, state)
        if np.any(spread):
            noise = np.empty(spread.size, np.float32)
            kernels.fill_normal(state, noise, noise.size)
            sums += noise.reshape(sums.shape) * np.sqrt(self._scale * spread)
        return sums

    def _dense(self, layer: PreparedLayer, run: _Pass, spikes: NDArray, potential: NDArray, state: NDArray) -> None:
        link, synapses, weight = layer.links[0], layer.layer.links[0].synapses, layer.links[0].tiles
        if self._redrawn(link) and isinstance(synapses, Dense):
            weight = dense_tiles(self._weights(layer, 0, run), synapses)
        if weight is None:
            raise InputError("this link has no tiles")
        listed = link.listed if link.listed is not None else weight[:1]
        precharge = np.float32(layer.layer.neuron.precharge)
        kernels.dense_layer(
            weight, listed, link.mode, run.units[link.source + 1], run.delivered[link.source + 1], self.network.delay,
            layer.theta, layer.bias, precharge, *self._settings(layer), state, spikes, potential,
        )  # fmt: skip

    def _general(self, layer: PreparedLayer, run: _Pass, spikes: NDArray, potential: NDArray, state: NDArray) -> None:
        neuron, theta = layer.layer.neuron, layer.theta
        settings, flags = self._settings(layer)
        limit = kernels.start_limits(theta, neuron.threshold_jitter, state)
        u = np.float32(neuron.precharge) * theta
        rest, held = np.zeros(layer.n, np.int32), np.empty(layer.n, np.float32)
        size = max(1, min(64, _SUMS // layer.n))
        mean, spread, noise = (np.zeros((size, layer.n), np.float32) for _ in range(3))
        row = spikes[:, : layer.n]
        for first in range(0, run.steps, size):
            now = min(size, run.steps - first)
            mean[:], spread[:] = 0, 0
            self._sum(layer, run, first, mean[:now], spread[:now], state)
            kernels.advance(
                u, held, rest, limit, theta, mean[:now], spread[:now], noise, settings, flags, layer.bias, state, row,
                potential, first,
            )  # fmt: skip

    def _sum(
        self, layer: PreparedLayer, run: _Pass, first: int, mean: NDArray, spread: NDArray, state: NDArray
    ) -> None:
        """Sums and variances of all links for the steps ``first``... ."""
        lag = self.network.delay if layer.layer.spiking else 0
        for k, link in enumerate(layer.links):
            events = run.delivered[link.source + 1]
            if self.noise is not None and self.noise.sampling == "synapse" and link.sigma is not None and link.mode:
                kernels.block_scatter_by_synapse(
                    link.runs.weight, link.sigma, link.runs.wires, events, lag, first, mean, state
                )
                continue
            weight = self._weights(layer, k, run)
            listed = link.listed if link.listed is not None else weight[:1]
            kernels.block_scatter(weight, listed, link.mode, link.runs.wires, events, lag, first, mean, spread)
