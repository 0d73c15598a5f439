"""The transistors of a deck with all hierarchy flattened, as ngspice itself expands it (``listing expand``)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..neuron.netlist import number

_LINE = re.compile(r"^\s*\d+\s*:\s*(m\S*)\s+\S+\s+\S+\s+\S+\s+\S+\s+(\S+)\s+(.*)$", re.IGNORECASE)
_SIZE = re.compile(r"\b(w|l)\s*=\s*(\S+)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Transistor:
    """One MOSFET: full name (``m.xneuron.x1.m1``), model, width and length in meters."""

    name: str
    model: str
    width_m: float
    length_m: float


def transistors_in(listing: Iterable[str]) -> tuple[Transistor, ...]:
    """The MOSFETs of an expanded listing that give their width and length, sorted by name."""
    transistors = []
    for match in filter(None, map(_LINE.match, listing)):
        sizes = {key.lower(): number(value) for key, value in _SIZE.findall(match[3])}
        width_m, length_m = sizes.get("w"), sizes.get("l")
        if width_m and length_m:
            name, model = match[1].lower(), match[2].lower()
            transistors.append(Transistor(name=name, model=model, width_m=width_m, length_m=length_m))
    return tuple(sorted(transistors, key=lambda transistor: transistor.name))
