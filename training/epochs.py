"""Training epoch by epoch into a folder that is whole after each of them, so that an interrupted run can be resumed."""

import contextlib
import logging
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import lightning
import pandas as pd
import torch
from torch import Tensor

from neuronsim.artifacts.training_run import LAST
from neuronsim.atomic_write import write_atomically, write_text
from neuronsim.progress import Bar, bar


class EpochModule(lightning.LightningModule):
    """A module with a learning rate per batch. ``history``: one row of metrics, by column, per finished epoch."""

    def __init__(self, n_batches: int) -> None:
        super().__init__()
        self.n_batches = n_batches
        self.history: list[dict[str, float]] = []
        self._reset_sums()

    def learning_rate(self, epoch: int, batch: int) -> float:
        """Learning rate of one batch."""
        raise NotImplementedError

    def epoch_columns(self) -> dict[str, float]:
        """The first columns of a row: which epoch it is of."""
        return {"epoch": self.current_epoch}

    def checkpoints(self) -> list[str]:
        """Files that hold the epoch just closed, in the order in which they are written."""
        return [LAST]

    def on_train_epoch_start(self) -> None:
        self._reset_sums()
        self._started = time.monotonic()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.learning_rate(self.current_epoch, batch_idx)

    def count(self, part: str, loss: Tensor | float, right: Tensor) -> None:
        """Add a batch to the sums of "train" or "val"; what is a tensor stays on its device: reading it makes a GPU wait."""
        sums = self._sums[part]
        self._sums[part] = [sums[0] + loss * len(right), sums[1] + right.sum(), sums[2] + len(right)]

    def close_epoch(self) -> None:
        """Close the epoch with one row of metrics."""
        row = self.epoch_columns()
        for part, sums in self._sums.items():
            loss, right, count = (float(value) for value in sums)
            row[f"{part}_loss"], row[f"{part}_accuracy"] = loss / max(count, 1), right / max(count, 1)
        row["lr"] = self.learning_rate(self.current_epoch, self.n_batches - 1)
        row["seconds"] = time.monotonic() - self._started
        self.history.append(row)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = list(checkpoint["neuronsim"]["history"])

    def _reset_sums(self) -> None:
        self._sums: dict[str, list[Any]] = {"train": [0.0, 0, 0], "val": [0.0, 0, 0]}


def train_epochs(
    module: EpochModule,
    train: Callable[[int], Iterable[Any]],
    validation: Iterable[Any],
    *,
    out: Path,
    metrics: str,
    epochs: int,
    title: str,
    checkpoint: dict[str, Any] | None,
    device: str | None = None,
    progress: bool = True,
) -> None:
    """Train up to ``epochs`` epochs on the batches ``train(epoch)``, from last.ckpt in ``out`` where that is the ``checkpoint``.

    After every epoch checkpoints and the CSV file ``metrics`` are written, each whole or not at all. ``device``: "cpu" or "gpu",
    default a GPU where torch sees one. Raises KeyboardInterrupt on Ctrl-C.
    """
    done = 0 if checkpoint is None else len(checkpoint["neuronsim"]["history"])
    if checkpoint is not None and done >= epochs:
        module.load_state_dict(checkpoint["state_dict"])
        module.on_load_checkpoint(checkpoint)
        return
    moving = bar(title, epochs * module.n_batches, done=done * module.n_batches, shown=progress)
    with moving as progress_bar, _interrupts_for_the_caller(), _quiet():
        trainer = lightning.Trainer(
            accelerator=device or ("gpu" if torch.cuda.is_available() else "cpu"),
            devices=1,
            max_epochs=epochs,
            reload_dataloaders_every_n_epochs=1,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[_Keeper(module, out, metrics, progress_bar)],
            default_root_dir=out,
        )
        resume = None if checkpoint is None else out / LAST
        trainer.fit(module, datamodule=_Loaders(train, validation), ckpt_path=resume, weights_only=True)


class _Loaders(lightning.LightningDataModule):
    def __init__(self, train: Callable[[int], Iterable[Any]], validation: Iterable[Any]) -> None:
        super().__init__()
        self.train, self.validation = train, validation

    def train_dataloader(self) -> Iterable[Any]:
        return self.train(self.trainer.current_epoch if self.trainer else 0)

    def val_dataloader(self) -> Iterable[Any]:
        return self.validation


class _Keeper(lightning.Callback):
    """Moves the bar, and writes what an epoch leaves."""

    def __init__(self, module: EpochModule, out: Path, metrics: str, progress_bar: Bar) -> None:
        self.module, self.out, self.metrics, self.bar = module, out, metrics, progress_bar

    def on_train_batch_end(self, *_: Any) -> None:
        self.bar.advance()

    def on_train_epoch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        self.module.close_epoch()
        history = self.module.history
        self.bar.note(f"validation {history[-1]['val_accuracy']:.2%}")
        write_text(self.out / self.metrics, pd.DataFrame(history).to_csv(index=False))
        for name in self.module.checkpoints():
            write_atomically(self.out / name, lambda temporary: trainer.save_checkpoint(temporary))


@contextlib.contextmanager
def _interrupts_for_the_caller() -> Iterator[None]:
    """Lightning answers Ctrl-C by leaving the process; whoever called decides that here."""
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if main else None
    try:
        yield
    except SystemExit:
        raise KeyboardInterrupt from None
    finally:
        if main:
            signal.signal(signal.SIGINT, handler)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's advice (other loaders, other loggers) from the user, who chose none of it."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric", "lightning")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning.*")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
