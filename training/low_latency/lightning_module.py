"""The Lightning module that trains a convertible network, and the accuracy of one."""

from __future__ import annotations

import math
import time
from typing import Any

import lightning
import torch
from torch import Tensor

from neuronsim.errors import DataError

from ..datasets.catalogue import Images
from ..seeds import torch_generator
from .batches import EPSILON, PlainPixels
from .experiment import ConversionExperiment, Phase
from .network import ConvertibleNetwork

COLUMNS = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "seconds")


def set_noise(network: ConvertibleNetwork, device: torch.device, *key: int) -> None:
    """Give every activation the generator of its epsilon, seeded by ``key`` and its place."""
    for place, activation in enumerate(network.activations):
        state = torch_generator(EPSILON, *key, place).initial_seed()
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


class ConvertibleModule(lightning.LightningModule):
    """Cross-entropy on the logits. ``history``: one row of :data:`COLUMNS` per finished epoch."""

    def __init__(
        self, network: ConvertibleNetwork, experiment: ConversionExperiment, phase: Phase, n_batches: int
    ) -> None:
        super().__init__()
        self.network = network
        self.experiment, self.n_batches = experiment, n_batches
        self.phase: Phase = phase
        self.history: list[dict[str, float]] = []
        self._reset_sums()

    def learning_rate(self, epoch: int, batch: int) -> float:
        """Learning rate of one batch."""
        schedule = self.experiment.schedule(self.phase)
        progress = (epoch * self.n_batches + batch) / max(1, schedule.epochs * self.n_batches)
        return 0.5 * schedule.lr * (1 + math.cos(math.pi * progress))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        schedule = self.experiment.schedule(self.phase)
        weights = [p for p in self.network.parameters() if p.dim() > 1]
        others = [p for p in self.network.parameters() if p.dim() <= 1]
        groups = [{"params": weights, "weight_decay": schedule.weight_decay}, {"params": others, "weight_decay": 0.0}]
        return torch.optim.SGD(groups, lr=schedule.lr, momentum=schedule.momentum)

    def on_train_epoch_start(self) -> None:
        self._reset_sums()
        self._started = time.monotonic()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.learning_rate(self.current_epoch, batch_idx)

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
        self._add("train", loss.detach(), logits.detach(), labels)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        pixels, labels = batch
        logits = self.network(pixels)
        self._add("val", torch.nn.functional.cross_entropy(logits, labels), logits, labels)

    def close_epoch(self) -> None:
        """Close the epoch with one row of metrics."""
        row: dict[str, float] = {"epoch": self.current_epoch}
        for part in ("train", "val"):
            loss, right, count = (float(value) for value in self._sums[part])
            row[f"{part}_loss"], row[f"{part}_accuracy"] = loss / max(count, 1), right / max(count, 1)
        row["lr"] = self.learning_rate(self.current_epoch, self.n_batches - 1)
        row["seconds"] = time.monotonic() - self._started
        self.history.append(row)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        digest = self.experiment.digest(self.phase)
        checkpoint["neuronsim"] = {"history": self.history, "phase": self.phase, "experiment": digest}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = list(checkpoint["neuronsim"]["history"])

    def _reset_sums(self) -> None:
        self._sums: dict[str, list[Any]] = {"train": [0.0, 0, 0], "val": [0.0, 0, 0]}

    def _add(self, part: str, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        # Sums stay on the device: reading them here would make a GPU wait for every batch.
        sums = self._sums[part]
        sums[0] = sums[0] + loss * len(labels)
        sums[1] = sums[1] + (logits.argmax(dim=1) == labels).sum()
        sums[2] += len(labels)
