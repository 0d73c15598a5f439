"""The Lightning module of a TTFS experiment: loss, schedule, averaged weights, metrics."""

import math
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from neuronsim.artifacts.training_run import LAST
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.errors import DataError

from ..epochs import EpochModule
from .batches import layer_generator
from .experiment import Experiment
from .layers import TTFSDropout
from .loss import clip_row_norm, silent_target_shortfall, spike_time_loss, weight_sum_penalty
from .network import Neurons, TTFSNetwork
from .noise_aware import CardNoise
from .run_folder import best_checkpoint


def decide(z: Tensor) -> Tensor:
    """Class of each row of output spike times: the first spike; -1 where no output fires."""
    return torch.where(torch.isfinite(z).any(dim=1), z.argmin(dim=1), -1)


class TTFSModule(EpochModule):
    """Trains ``network`` as ``experiment`` says. ``bests``: the row of the best epoch of every stage so far."""

    def __init__(
        self, network: TTFSNetwork, experiment: Experiment, n_batches: int, card: TTFSCard | None = None
    ) -> None:
        super().__init__(n_batches)
        self.network = network
        self.experiment = experiment
        self.bests: list[dict[str, float] | None] = [None] * len(experiment.stages)
        self.noise = CardNoise(card, experiment) if card is not None and experiment.noise_aware is not None else None
        self.average = None
        if experiment.ema is not None:
            self.average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(experiment.ema))
        self.configure_stage(0)

    def configure_stage(self, stage: int) -> None:
        """Set the weight resolution of a stage, in the trained and in the averaged network."""
        for network in filter(None, (self.network, self.averaged)):
            network.bits = self.experiment.stages[stage].bits
            network.scope = self.experiment.full_scale
            for layer in network.spiking:
                layer.slope_floor = self.experiment.optimizer.slope_floor

    @property
    def averaged(self) -> TTFSNetwork:
        """The network that is validated and deployed: the averaged one where there is an average."""
        return self.network if self.average is None else cast(TTFSNetwork, self.average.module)

    def learning_rate(self, epoch: int, batch: int) -> float:
        number, within = self.experiment.stage_at(epoch)
        stage = self.experiment.stages[number]
        progress = (within * self.n_batches + batch) / max(1, stage.epochs * self.n_batches - 1)
        if stage.schedule == "constant":
            return stage.lr
        shape = progress if stage.schedule == "linear" else 0.5 * (1 - math.cos(math.pi * progress))
        return stage.lr + (stage.lr_end - stage.lr) * shape

    def configure_optimizers(self) -> torch.optim.Optimizer:
        settings = self.experiment.optimizer
        parameters = [layer.weight for layer in self.network.spiking]
        lr = self.experiment.stages[0].lr
        if settings.name == "adam":
            return torch.optim.Adam(parameters, lr=lr)
        if settings.name == "soap":
            from pytorch_optimizer import SOAP  # imports hundreds of optimizers: only where it is used

            # renewing takes as long whatever the batch: small batches would spend most of their time on it
            every = settings.precondition_every or max(20, round(640 / self.experiment.batch_size))
            return SOAP(parameters, lr=lr, weight_decay=settings.weight_decay, precondition_frequency=every)
        return torch.optim.AdamW(parameters, lr=lr, weight_decay=settings.weight_decay)

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        settings = self.experiment.optimizer
        if settings.clip_value is None:
            return
        weights = [layer.weight for layer in self.network.spiking]
        if settings.clip == "norm":
            torch.nn.utils.clip_grad_norm_(weights, settings.clip_value)
        else:
            clip_row_norm(weights, settings.clip_value)

    def on_train_epoch_start(self) -> None:
        self.configure_stage(self.experiment.stage_at(self.current_epoch)[0])
        super().on_train_epoch_start()

    def training_step(self, batch: tuple[Tensor, Tensor, int], batch_idx: int) -> Tensor:
        z, labels, number = batch
        seed, epoch = self.experiment.seed, self.current_epoch
        for k, layer in enumerate(self.network.layers):
            if isinstance(layer, TTFSDropout):
                layer.generator = layer_generator(seed, epoch, number, k)
        if self.noise is not None:
            self.noise.install(self.network, epoch, number)
        penalty = self.experiment.loss
        potential: list[Tensor] = []
        excess: list[Tensor] = []

        def watch(neurons: Neurons, spikes: Tensor, fired: Tensor) -> None:
            if penalty.silent_target > 0 and neurons.number == len(self.network.neurons) - 1:
                potential.append(neurons.final_potential(spikes))
            if self.noise is not None and self.noise.penalizes_range:
                excess.append(self.noise.beyond_range(self.network, neurons, spikes, fired, epoch, number))

        out = self.network.watched(z, watch)
        loss = self._loss(out, labels)
        weights = [layer.weight for layer in self.network.spiking]
        total = loss + penalty.weight_sum * weight_sum_penalty(weights, beta=penalty.beta, reduction=penalty.reduction)
        for final in potential:
            total = total + penalty.silent_target * silent_target_shortfall(out, final, labels)
        if excess and self.experiment.noise_aware is not None:
            total = total + self.experiment.noise_aware.range_penalty * torch.stack(excess).sum()
        if penalty.l2 > 0:
            total = total + penalty.l2 * torch.stack([(weight**2).sum() for weight in weights]).sum()
        if not torch.isfinite(total):
            raise DataError(
                f"training diverged: the loss is {float(total):g} in epoch {epoch}, batch {number}. "
                "Lower stages.lr, or raise optimizer.slope_floor."
            )
        self.count("train", float(loss.detach()), decide(out.detach()) == labels)
        return total

    def on_train_batch_end(self, *_: Any) -> None:
        if self.average is not None:
            self.average.update_parameters(self.network)

    def on_validation_epoch_start(self) -> None:
        if self.noise is not None:
            self.noise.install_nominal(self.averaged)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        z, labels = batch
        out = self.averaged(z)
        self.count("val", float(self._loss(out, labels)), decide(out) == labels)

    def epoch_columns(self) -> dict[str, float]:
        stage, within = self.experiment.stage_at(self.current_epoch)
        return {"stage": stage, "epoch": within}

    def close_epoch(self) -> None:
        """Close the epoch with one row of metrics, and note whether it is the best of its stage so far."""
        super().close_epoch()
        row = self.history[-1]
        stage = int(row["stage"])
        best = self.bests[stage]
        if best is None or _merit(row) > _merit(best):  # equal accuracies are decided by the loss
            self.bests[stage] = dict(row, overall=self.current_epoch)

    def checkpoints(self) -> list[str]:
        stage = int(self.history[-1]["stage"])
        best = self.bests[stage]
        if best is None or best["overall"] != len(self.history) - 1:
            return [LAST]
        # The best checkpoint first: killed in between, the epoch is repeated and writes it again.
        return [best_checkpoint(self.experiment, stage), LAST]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["neuronsim"] = {"history": self.history, "bests": self.bests, "experiment": self.experiment.digest()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.bests = list(checkpoint["neuronsim"]["bests"])

    def _loss(self, z: Tensor, labels: Tensor) -> Tensor:
        return spike_time_loss(z, labels, name=self.experiment.loss.name, cap=self.experiment.loss.cap)


def _merit(row: dict[str, float]) -> tuple[float, float]:
    return row["val_accuracy"], -row["val_loss"]
