"""The settled state as the start of a run: initial conditions of every node, instead of the netlist's own."""

import re
from collections.abc import Mapping
from functools import lru_cache

from .run import SpikeStimulus

#: weights of the idle synapses in a lead-in
IDLE_WEIGHTS = (1.0, -1.0)
#: initial conditions of a netlist, as statements and on elements
_STATEMENT = re.compile(r"^[ \t]*\.ic\b.*\n(?:\+.*\n)*", re.IGNORECASE | re.MULTILINE)
_ON_ELEMENT = re.compile(r"^([ \t]*[cdjmq]\S*\s.*?)\s+ic\s*=\s*(?:\{[^}]*\}|'[^']*'|\S+)", re.IGNORECASE | re.MULTILINE)


@lru_cache(maxsize=8)  # the same for all runs of a campaign
def without_initial_conditions(netlist: str) -> str:
    """The text of a netlist without any initial condition."""
    return _ON_ELEMENT.sub(r"\1", _STATEMENT.sub("", netlist + "\n"))


def initial_conditions(stimulus: SpikeStimulus, settled: Mapping[str, float]) -> list[str]:
    """The settled voltage of every node; the inside of each synapse is that of the idle one of its sign in the lead-in."""
    nodes: dict[str, float] = {}
    of_sign = {f"xs{k}": weight < 0 for k, weight in enumerate(IDLE_WEIGHTS)}
    inputs = {f"s{k}" for k in range(len(IDLE_WEIGHTS))}
    for name, volts in settled.items():
        instance, _, inside = name.partition(".")
        if inside and instance in of_sign:
            same = [i for i, weight in enumerate(stimulus.weights) if (weight < 0) == of_sign[instance]]
            nodes |= {f"xs{i}.{inside}": volts for i in same}
        elif name not in inputs:
            nodes[name] = volts
    return [f".ic v({name})={volts:.9g}" for name, volts in nodes.items()]
