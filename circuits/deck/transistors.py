"""The transistors of a deck with all hierarchy flattened, as ngspice itself expands it (``listing expand``)."""

from __future__ import annotations

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
    found = []
    for line in listing:
        match = _LINE.match(line)
        sizes = {key.lower(): number(value) for key, value in _SIZE.findall(match[3])} if match else {}
        if match and sizes.get("w") and sizes.get("l"):
            found.append(
                Transistor(
                    name=match[1].lower(),
                    model=match[2].lower(),
                    width_m=sizes["w"] or 0.0,
                    length_m=sizes["l"] or 0.0,
                )
            )
    return tuple(sorted(found, key=lambda transistor: transistor.name))
