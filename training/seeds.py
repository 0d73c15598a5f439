"""Seeds, and seeded generators of torch."""

import numpy as np
import torch

from neuronsim.errors import InputError


def checked_seed(seed: int) -> int:
    """``seed``. Raises InputError when it is negative."""
    if seed < 0:
        raise InputError(f"seed = {seed} is out of range: at least 0")
    return seed


def torch_generator(*key: int) -> torch.Generator:
    """A seeded torch generator that depends on every number of ``key``."""
    generator = torch.Generator()
    state = np.random.SeedSequence(list(key)).generate_state(2, np.uint32)
    generator.manual_seed((int(state[0]) << 32 | int(state[1])) >> 1)
    return generator
