"""Training and stressing time-to-first-spike networks, clean and under the noise of a calibrated circuit.

Names are imported on first use: torch and lightning take seconds to load, and listing data sets needs neither.
"""

from typing import TYPE_CHECKING

from neuronsim.lazy import loader

if TYPE_CHECKING:
    from .datasets.catalogue import data_status
    from .studies import RobustnessPlan
    from .studies.robustness.run import stress
    from .ttfs.evaluate import evaluate
    from .ttfs.experiment import Experiment, load_experiment, shipped_experiments
    from .ttfs.train import train

__all__ = [
    "Experiment",
    "RobustnessPlan",
    "data_status",
    "evaluate",
    "load_experiment",
    "shipped_experiments",
    "stress",
    "train",
]

__getattr__ = loader(
    __name__,
    {
        "Experiment": "ttfs.experiment",
        "RobustnessPlan": "studies",
        "data_status": "datasets.catalogue",
        "evaluate": "ttfs.evaluate",
        "shipped_experiments": "ttfs.experiment",
        "load_experiment": "ttfs.experiment",
        "stress": "studies.robustness.run",
        "train": "ttfs.train",
    },
)
