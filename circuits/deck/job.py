"""What an engine gets: a deck, and what to measure in its vectors."""

import json
from dataclasses import dataclass

from neuronsim.atomic_write import sha256_of

_VERSION = 3
_WAVEFORMS = 2  # how waveforms are thinned out; the rest of a result does not depend on it


@dataclass(frozen=True, kw_only=True)
class Job:
    """The deck, commands between loading and running it, and how to read spikes from its vectors.

    The simulation runs until ``t_start_s + t_stop_s``; times of its results are counted from ``t_start_s``.
    ``level_v``: NaN with a ``reference``. ``supplies``: vector of the current, volts, block it feeds. ``first_input_s``: start
    of the active window of a TTFS neuron (None for a rate neuron). ``final``: keep every node voltage at the end. ``counted``:
    nodes whose frequency is measured. ``steps``: least number of time steps, a measure of how long a run takes.
    """

    deck: str
    node: str
    reference: str | None
    level_v: float
    edge: str
    t_stop_s: float
    supplies: tuple[tuple[str, float, str], ...] = ()
    waveforms: tuple[str, ...] = ()
    t_start_s: float = 0.0
    first_input_s: float | None = None
    commands: tuple[str, ...] = ()
    final: bool = False
    counted: tuple[str, ...] = ()
    steps: float = 0.0

    def key(self, engine: str, version: str) -> str:
        """Hash of all that the outcome depends on: deck with models, options and noise, measurement, engine and version."""
        spike = [self.node, self.reference, repr(self.level_v), self.edge]
        parts = [_VERSION, engine, version, self.deck, *spike, repr(self.t_stop_s), repr(self.t_start_s), self.commands]
        parts += [self.first_input_s, self.supplies, [_WAVEFORMS, *self.waveforms] if self.waveforms else []]
        more = [*(["final"] if self.final else []), *(["counted", *self.counted] if self.counted else [])]
        return sha256_of(json.dumps([*parts, *more]))
