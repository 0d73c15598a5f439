"""Cards that benchmarks put networks on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def made_card(neuron: str, path: Path, plan: str, *options: str) -> Path:
    """The card at ``path``, made now if it is not there: ``neuron`` characterized in ngspice, its dataset beside the card."""
    if not path.is_file():
        dataset = str(path.with_suffix(".nc"))
        for command in (
            ("characterize", neuron, "--plan", plan, "--out", dataset, *options),
            ("calibrate", dataset, "--out", str(path)),
        ):
            subprocess.run([sys.executable, "-m", "neuronsim", *command], check=True)
    return path
