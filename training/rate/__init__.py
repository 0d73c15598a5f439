"""Rate-coded networks of integrate-and-fire neurons: description, encoding, noisy synapses, two engines and conversion.

Names are imported on first use, as in :mod:`training`.
"""

from typing import TYPE_CHECKING

from neuronsim.lazy import loader

if TYPE_CHECKING:
    from .encoding import encode
    from .graph import AvgPool, Conv, Dense, Identity, Layer, Link, Neuron, RateNetwork
    from .layers import IntegrateFire, integrate_fire
    from .reference import ReferenceNetwork, simulate

__all__ = ["AvgPool", "Conv", "Dense", "Identity", "Layer", "Link", "Neuron", "RateNetwork"]
_HOMES = dict.fromkeys(__all__, "graph")
__all__ += ["IntegrateFire", "ReferenceNetwork", "encode", "integrate_fire", "simulate"]
_HOMES |= {"IntegrateFire": "layers", "integrate_fire": "layers", "encode": "encoding"}
_HOMES |= {"ReferenceNetwork": "reference", "simulate": "reference"}

__getattr__ = loader(__name__, _HOMES)
