"""The Lightning module that trains a convertible network, and the accuracy of one."""

import math
from typing import Any

import torch
from torch import Tensor

from neuronsim.errors import DataError

from ..datasets.catalogue import Images
from ..datasets.pixels import PlainPixels
from ..epochs import EpochModule
from ..seeds import torch_generator
from .batches import EPSILON
from .experiment import ConversionExperiment, Phase
from .network import ConvertibleNetwork


def set_noise(network: ConvertibleNetwork, device: torch.device, *key: int) -> None:
    """Give every activation the generator of its epsilon, seeded by ``key`` and its place."""
    for k, activation in enumerate(network.activations):
        state = torch_generator(EPSILON, *key, k).initial_seed()
        activation.generator = torch.Generator(device).manual_seed(state)


@torch.no_grad()
def accuracy(network: ConvertibleNetwork, images: Images, *, noise_seed: int | None = None) -> float:
    """Fraction of ``images`` that the ANN, as it is set, gets right; ``noise_seed``: with epsilon, where it has the adaptor."""
    network.eval()
    device = network.mean.device
    right = 0
    for activation in network.activations:
        activation.noise_in_evaluation = noise_seed is not None
    for number, (pixels, labels) in enumerate(PlainPixels(images)):
        if noise_seed is not None:
            set_noise(network, device, noise_seed, number)
        right += int((network(pixels.to(device)).argmax(dim=1).cpu() == labels).sum())
    for activation in network.activations:
        activation.noise_in_evaluation, activation.generator = False, None
    return right / len(images)


class ConvertibleModule(EpochModule):
    """Cross-entropy on the logits."""

    def __init__(
        self, network: ConvertibleNetwork, experiment: ConversionExperiment, phase: Phase, n_batches: int
    ) -> None:
        super().__init__(n_batches)
        self.network, self.experiment = network, experiment
        self.phase: Phase = phase

    def learning_rate(self, epoch: int, batch: int) -> float:
        schedule = self.experiment.schedule(self.phase)
        progress = (epoch * self.n_batches + batch) / max(1, schedule.epochs * self.n_batches)
        return 0.5 * schedule.lr * (1 + math.cos(math.pi * progress))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        schedule = self.experiment.schedule(self.phase)
        weights = [p for p in self.network.parameters() if p.dim() > 1]
        others = [p for p in self.network.parameters() if p.dim() <= 1]
        groups = [{"params": weights, "weight_decay": schedule.weight_decay}, {"params": others, "weight_decay": 0.0}]
        return torch.optim.SGD(groups, lr=schedule.lr, momentum=schedule.momentum)

    def training_step(self, batch: tuple[Tensor, Tensor, int], batch_idx: int) -> Tensor:
        pixels, labels, number = batch
        if self.phase == "quantization" and self.experiment.adaptor:
            set_noise(self.network, self.device, self.experiment.seed, self.current_epoch, number)
        logits = self.network(pixels)
        loss = torch.nn.functional.cross_entropy(logits, labels)
        if not torch.isfinite(loss):
            raise DataError(
                f"training diverged: the loss is {float(loss):g} in epoch {self.current_epoch}, batch {number}. "
                f"Lower {self.phase}.lr."
            )
        self.count("train", loss.detach(), logits.detach().argmax(dim=1) == labels)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        pixels, labels = batch
        logits = self.network(pixels)
        self.count("val", torch.nn.functional.cross_entropy(logits, labels), logits.argmax(dim=1) == labels)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        digest = self.experiment.digest(self.phase)
        checkpoint["neuronsim"] = {"history": self.history, "phase": self.phase, "experiment": digest}
