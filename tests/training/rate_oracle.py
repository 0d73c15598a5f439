"""The plain oracle of rate-coded networks: every synapse a number, every neuron a loop, double precision."""

import math

import numpy as np

from neuronsim.training.rate import AvgPool, Conv, Dense, Identity, Layer, Link, Neuron, RateNetwork


def synapses_of(synapses, shape):
    """(target, source, weight) of every synapse of a link, neurons numbered in the order (row, column, channel)."""
    height, width, channels = shape
    kind = type(synapses).__name__
    out_h, out_w, out_c = synapses.output(shape)
    found = []
    for y in range(out_h):
        for x in range(out_w):
            for c in range(out_c):
                target = (y * out_w + x) * out_c + c
                if kind == "Dense":
                    found += [(target, i, float(synapses.weight[c, i])) for i in range(height * width * channels)]
                elif kind == "Identity":
                    found.append((target, target, synapses.scale))
                elif kind == "AvgPool":
                    n = synapses.size
                    found += [
                        (target, ((y * n + a) * width + x * n + b) * channels + c, 1 / n**2)
                        for a in range(n)
                        for b in range(n)
                    ]
                else:
                    k = synapses.weight.shape[2]
                    for a in range(k):
                        for b in range(k):
                            row, column = (
                                y * synapses.stride + a - synapses.padding,
                                x * synapses.stride + b - synapses.padding,
                            )
                            if 0 <= row < height and 0 <= column < width:
                                found += [
                                    (target, (row * width + column) * channels + i, float(synapses.weight[c, i, a, b]))
                                    for i in range(channels)
                                ]
    return found


class Cell:
    """One integrate-and-fire neuron."""

    def __init__(self, neuron, theta, bias):
        self.neuron, self.theta, self.bias = neuron, theta, bias
        self.u, self.resting = neuron.precharge * theta, 0

    def step(self, drive):
        if self.resting:
            self.resting -= 1
            return 0.0
        self.u = self.neuron.decay * self.u + drive + self.bias
        if not (self.u > self.theta if self.neuron.strict else self.u >= self.theta):
            return 0.0
        self.u = 0.0 if self.neuron.reset == "rest" else self.u - self.theta
        self.resting = self.neuron.refractory
        return 1.0


def run(network, trains):
    """``trains`` (steps, inputs): (counts, prediction after each step, spikes of every layer (steps, neurons))."""
    tables = []
    for number, layer in enumerate(network.layers):
        tables.append(
            [
                (network.source(number, k), synapses_of(k.synapses, network.shape_of(network.source(number, k))))
                for k in layer.links
            ]
        )
    cells = [
        [Cell(layer.neuron, t, b) for t, b in zip(network.thresholds[n], network.biases[n], strict=True)]
        for n, layer in enumerate(network.layers)
    ]
    history, predictions = [[] for _ in network.layers], []
    for t, x in enumerate(trains):
        now = []
        for number, layer in enumerate(network.layers):
            drive = np.zeros(math.prod(network.shapes[number]))
            for source, table in tables[number]:
                if network.delay and layer.spiking:
                    if t == 0:
                        continue
                    event = trains[t - 1] if source < 0 else history[source][t - 1]
                else:
                    event = x if source < 0 else now[source]
                for target, origin, weight in table:
                    drive[target] += weight * event[origin]
            now.append(
                np.array([c.step(d) for c, d in zip(cells[number], drive, strict=True)]) if layer.spiking else drive
            )
            history[number].append(now[-1])
        counts = np.sum(history[-1], axis=0)
        best = [i for i in range(len(counts)) if counts[i] == counts.max()]
        predictions.append(max(best, key=lambda i: (cells[-1][i].u, -i)))
    return counts, np.array(predictions), [np.array(h) for h in history]


def dyadic(generator, shape, scale=0.5):
    """Weights whose sums are exact in single precision, so that no rounding decides about a spike."""
    return (np.round(generator.normal(0.12, scale, shape) * 64) / 64).astype(np.float32)


def networks(neuron, delay):
    g = np.random.default_rng(5)
    dense = RateNetwork(
        (1, 1, 12),
        [
            Layer(links=(Link(synapses=Dense(weight=dyadic(g, (9, 12)))),), threshold=1.5, neuron=neuron),
            Layer(
                links=(Link(synapses=Dense(weight=dyadic(g, (5, 9)))),),
                threshold=np.array([0.25, 0.5, 0.75, 1.0, 1.25]),
                bias=0.25,
                neuron=neuron,
            ),
        ],
        delay=delay,
    )
    residual = RateNetwork(
        (6, 6, 2),
        [
            Layer(links=(Link(synapses=Conv(weight=dyadic(g, (4, 2, 3, 3)), padding=1)),), neuron=neuron),
            Layer(
                links=(
                    Link(synapses=Conv(weight=dyadic(g, (4, 4, 3, 3), 0.2), padding=1)),
                    Link(synapses=Identity(), source=0),
                ),
                neuron=neuron,
                threshold=0.75,
            ),
            Layer(links=(Link(synapses=AvgPool(size=2)),), spiking=False),
            Layer(links=(Link(synapses=Conv(weight=dyadic(g, (3, 4, 3, 3)), stride=2, padding=1)),), neuron=neuron),
            Layer(links=(Link(synapses=AvgPool(size=2)),), neuron=neuron, threshold=0.5),
            Layer(links=(Link(synapses=Dense(weight=dyadic(g, (4, 3)))),), neuron=neuron),
        ],
        delay=delay,
    )
    return {"dense": dense, "residual": residual}


NEURONS = {
    "subtract": Neuron(),
    "paper 000": Neuron(reset="rest", strict=True),
    "half": Neuron(precharge=0.5),
    "refractory": Neuron(reset="rest", refractory=3),
    "leaky": Neuron(decay=0.5, refractory=1, precharge=0.25),
}
