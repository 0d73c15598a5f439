"""Seeded generators of torch."""

from __future__ import annotations

import numpy as np
import torch


def torch_generator(*key: int) -> torch.Generator:
    """A seeded torch generator that depends on every number of ``key``."""
    generator = torch.Generator()
    state = np.random.SeedSequence(list(key)).generate_state(2, np.uint32)
    generator.manual_seed((int(state[0]) << 32 | int(state[1])) >> 1)
    return generator
