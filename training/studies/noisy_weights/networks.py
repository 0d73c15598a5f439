"""The networks of paper 000 before conversion: ReLU, no bias, average pooling; trained as table I of the paper says.

    y_j = max(0, sum_i w_ij y_i)        (paper 000, equation 1)

Fully connected 784-1200-1200-10, and convolutional 28x28-12c5-2s-64c5-2s-10o with "valid" 5 x 5 kernels (24, 12, 8, 4 pixels).
The paper gives learning rate, momentum, epochs and batch size and names reference [10] for the rest, whose published recipe is
followed: half the summed squared error against one-hot targets, the last epoch's weights (nothing is selected on test images).
Ours differs in two points: the learning rate falls
linearly to 0 in the second half of the epochs, and the convolutional network starts at 0.5 instead of 1.
The outputs are trained without their rectifier, which the largest output does not need: with it an output can die for good.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from neuronsim.atomic_write import write_atomically
from neuronsim.errors import DataError
from neuronsim.schema import Part
from neuronsim.training.datasets.catalogue import DataSet, Images
from neuronsim.training.datasets.pixels import as_pixels
from neuronsim.training.seeds import torch_generator

Architecture = Literal["fc", "cnn"]
_ORDER, _INITIAL = 31, 32


class Recipe(Part):
    """SGD training of one network of paper 000, table I. ``initial``: weights start uniform in +-initial (None: by fan-in)."""

    architecture: Architecture
    lr: float = Field(default=1.0, gt=0)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    initial: float | None = Field(default=None, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    decay_from: float = Field(
        default=1.0, gt=0, le=1, description="fraction of the epochs after which lr falls linearly to 0"
    )


RECIPES: dict[Architecture, Recipe] = {
    "fc": Recipe(architecture="fc", momentum=0.5, epochs=20, batch_size=100, initial=0.01, decay_from=0.5),
    "cnn": Recipe(architecture="cnn", lr=0.5, epochs=30, batch_size=50, decay_from=0.5),
}


def build(architecture: Architecture) -> nn.Sequential:
    """The untrained network, on images (batch, 1, 28, 28)."""
    if architecture == "fc":
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(784, 1200, bias=False),
            nn.ReLU(),
            nn.Linear(1200, 1200, bias=False),
            nn.ReLU(),
            nn.Linear(1200, 10, bias=False),
        )
    return nn.Sequential(
        nn.Conv2d(1, 12, 5, bias=False),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(12, 64, 5, bias=False),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(1024, 10, bias=False),
    )


def pixels(images: Images) -> Tensor:
    """(n, 1, height, width), float32 in [0, 1]."""
    return as_pixels(images).permute(0, 3, 1, 2).contiguous()


def train_ann(
    recipe: Recipe, data: DataSet, seed: int, path: Path, advanced: Callable[[int, float], object] | None = None
) -> nn.Sequential:
    """Train on all training images (the validation part too: nothing is chosen by it); resumes after the last whole epoch.

    ``path``: checkpoint, written after every epoch. ``advanced(epochs done, mean loss)`` is called after each. Raises DataError
    when ``path`` holds another recipe, seed or data set, OutputError when it cannot be written.
    """
    network = build(recipe.architecture)
    _initialize(network, recipe, torch_generator(seed, _INITIAL))
    optimizer = torch.optim.SGD(network.parameters(), lr=recipe.lr, momentum=recipe.momentum)
    about = {"recipe": recipe.model_dump(), "seed": seed, "data": data.digest}
    done = 0
    if path.is_file():
        state = torch.load(path, weights_only=True)
        if state["about"] != about:
            raise DataError(f"{path} is of another recipe, seed or data set: remove it or choose another --out")
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        done = int(state["done"])
    x = torch.cat([pixels(data.train), pixels(data.validation)])
    y = torch.from_numpy(np.concatenate([data.train.labels, data.validation.labels]))
    targets = nn.functional.one_hot(y, data.n_classes).to(torch.float32)
    for epoch in range(done, recipe.epochs):
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr * _schedule(recipe, epoch)
        loss = _epoch(network, optimizer, recipe, x, targets, torch_generator(seed, _ORDER, epoch))
        state = {
            "about": about,
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "done": epoch + 1,
        }
        write_atomically(path, lambda temporary, state=state: torch.save(state, temporary))
        if advanced:
            advanced(epoch + 1, loss)
    return network.eval()


def _initialize(network: nn.Sequential, recipe: Recipe, generator: torch.Generator) -> None:
    for weight in network.parameters():
        fan_in, fan_out = weight[0].numel(), weight.shape[0] * weight[0, 0].numel()
        limit = recipe.initial or (6 / (fan_in + fan_out)) ** 0.5
        with torch.no_grad():
            weight.copy_((torch.rand(weight.shape, generator=generator) * 2 - 1) * limit)


def _schedule(recipe: Recipe, epoch: int) -> float:
    flat = recipe.decay_from * recipe.epochs
    return 1.0 if epoch < flat else (recipe.epochs - epoch) / (recipe.epochs - flat + 1)


def _epoch(
    network: nn.Sequential, optimizer: torch.optim.Optimizer, recipe: Recipe, x: Tensor, targets: Tensor,
    generator: torch.Generator,
) -> float:  # fmt: skip
    """One pass in random order; the mean loss."""
    total = 0.0
    order = torch.randperm(len(x), generator=generator)
    network.train()
    for index in order.split(recipe.batch_size):
        batch = x[index]
        for layer in network:
            batch = layer(batch)
            if recipe.dropout and isinstance(layer, nn.ReLU):
                batch = batch * (torch.rand(batch.shape, generator=generator) >= recipe.dropout) / (1 - recipe.dropout)
        loss = 0.5 * (batch - targets[index]).square().sum() / len(index)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += float(loss.detach()) * len(index)
    return total / len(x)


@torch.no_grad()
def ann_accuracy(network: nn.Sequential, x: Tensor, labels: Tensor, batch: int = 1000) -> float:
    """Fraction of ``x`` (n, 1, h, w) whose largest output is the label."""
    right = sum(
        int((network(x[i : i + batch]).argmax(1) == labels[i : i + batch]).sum()) for i in range(0, len(x), batch)
    )
    return right / len(x)
