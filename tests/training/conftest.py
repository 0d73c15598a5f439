"""A model card whose every effect can be set."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from neuronsim.artifacts.card_parts import (
    Energy,
    Frozen,
    Kernel,
    Provenance,
    Quality,
    Range,
    TimingNoise,
    WeightResponse,
)
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.statistics.estimate import Estimate

DEFAULTS: dict[str, float | None] = {
    "tau_s": 50e-9,
    "second_pole_ratio": 200.0,
    "delay_s": 0.0,
    "ramp_per_tau": 0.0,
    "xor_limit_weight": None,
    "gain": 1.0,
    "mismatch_sigma": 0.0,
    "sigma_v": 0.01,
    "diffusion_v": 0.01,
    "floor_s": 0.0,
    "gain_sigma": 0.0,
    "ramp_sigma_per_tau": 0.0,
    "missing_probability": 0.0,
    "per_spike_j": None,
    "static_w": 0.0,
}


def make_card(**changes: float | None) -> TTFSCard:
    """A card with the given values; everything else is quiet but for sigma_v = diffusion_v = 0.01."""
    unknown = changes.keys() - DEFAULTS.keys()
    if unknown:
        raise ValueError(f"no such card field: {unknown}")
    values: dict[str, Any] = {
        name: None if value is None else Estimate.exact(value) for name, value in {**DEFAULTS, **changes}.items()
    }
    pick = lambda *names: {name: values[name] for name in names}  # noqa: E731
    energy = None if values["per_spike_j"] is None else Energy(**pick("per_spike_j", "static_w"))
    return TTFSCard(
        neuron="test_neuron",
        not_fitted={},
        quality=Quality(n_fit=1, n_held_out=1, median_error=0, p95_error=0, spike_agreement=1),
        provenance=Provenance(
            dataset_digest="0",
            netlist_sha256="0",
            engine="test",
            engine_version="0",
            plans={},
            parameters={},
            seed=0,
            versions={},
        ),
        kernel=Kernel(**pick("tau_s", "second_pole_ratio", "delay_s", "ramp_per_tau", "xor_limit_weight")),
        weights=WeightResponse(**pick("gain", "mismatch_sigma")),
        timing_noise=TimingNoise(**pick("sigma_v", "diffusion_v", "floor_s")),
        frozen=Frozen(**pick("gain_sigma", "ramp_sigma_per_tau")),
        missing_probability=values["missing_probability"],
        energy=energy,
        valid_inputs=Range(low=2, high=8),
        valid_weight=Range(low=-1, high=1),
        valid_time_tau=Range(low=0, high=3),
    ).signed()


@pytest.fixture
def card() -> Callable[..., TTFSCard]:
    """Factory of cards, see :func:`make_card`."""
    return make_card


@pytest.fixture(scope="session")
def quick_run(tmp_path_factory: pytest.TempPathFactory):
    """A finished run of the digits experiment."""
    from neuronsim.training import train

    return train("digits_quick", out=tmp_path_factory.mktemp("runs") / "digits", progress=False)


@pytest.fixture(scope="session")
def oracle() -> ModuleType:
    """The reference neurons of oracle.py."""
    return _beside("oracle")


@pytest.fixture(scope="session")
def rate_oracle() -> ModuleType:
    """The reference neurons of rate_oracle.py."""
    return _beside("rate_oracle")


@pytest.fixture(scope="session")
def spiking_graph() -> ModuleType:
    """Converted networks as plain descriptions, of spiking_graph.py."""
    return _beside("spiking_graph")


def _beside(name: str) -> ModuleType:
    """A file of this folder that is no test module and so not imported by pytest."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{name}.py is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
