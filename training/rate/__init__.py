"""Rate-coded networks of integrate-and-fire neurons: description, encoding, noisy synapses, two engines and conversion.

Names are imported on first use, as in :mod:`training`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .encoding import encode
    from .graph import AvgPool, Conv, Dense, Identity, Layer, Link, Neuron, RateNetwork
    from .layers import IntegrateFire, integrate_fire
    from .reference import ReferenceNetwork, simulate

__all__ = [
    "AvgPool",
    "Conv",
    "Dense",
    "Identity",
    "IntegrateFire",
    "Layer",
    "Link",
    "Neuron",
    "RateNetwork",
    "ReferenceNetwork",
    "encode",
    "integrate_fire",
    "simulate",
]

_HOME = {
    "AvgPool": "graph",
    "Conv": "graph",
    "Dense": "graph",
    "Identity": "graph",
    "IntegrateFire": "layers",
    "Layer": "graph",
    "Link": "graph",
    "Neuron": "graph",
    "RateNetwork": "graph",
    "ReferenceNetwork": "reference",
    "encode": "encoding",
    "integrate_fire": "layers",
    "simulate": "reference",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'neuronsim.training.rate' has no attribute '{name}'")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
