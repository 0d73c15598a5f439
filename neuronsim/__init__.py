"""neuronsim: from a neuron circuit to a calibrated model card. See README.md for the whole chain.

Importing this package loads nothing heavy: each public name loads its module on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .lazy import loader

if TYPE_CHECKING:
    from .artifacts.card_base import ModelCard
    from .artifacts.rate_card import RateCard
    from .artifacts.ttfs_card import TTFSCard
    from .calibration.calibrate import calibrate
    from .neuron.closed_form import spike_time
    from .neuron.conductance_bank import ConductanceBank

    __version__: str

__all__ = ["ConductanceBank", "ModelCard", "RateCard", "TTFSCard", "__version__", "calibrate", "spike_time"]

_load = loader(
    __name__,
    {
        "calibrate": "calibration.calibrate",
        "ConductanceBank": "neuron.conductance_bank",
        "ModelCard": "artifacts.card_base",
        "RateCard": "artifacts.rate_card",
        "TTFSCard": "artifacts.ttfs_card",
        "spike_time": "neuron.closed_form",
    },
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("neuronsim")
        except PackageNotFoundError:
            return "0+source"
    return _load(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
