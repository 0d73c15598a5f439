"""One call of Lightning's trainer, as all trainings here need it: no loggers, no advice, Ctrl-C left to the caller."""

import contextlib
import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import lightning


def fit(
    module: lightning.LightningModule,
    loaders: lightning.LightningDataModule,
    keeper: lightning.Callback,
    *,
    epochs: int,
    root: Path,
    resume: Path | None,
    device: str,
) -> None:
    """Train ``module`` up to ``epochs`` epochs on ``device`` ("cpu" or "gpu"), from checkpoint ``resume`` where that is given.

    ``keeper`` writes the checkpoints. Raises KeyboardInterrupt on Ctrl-C.
    """
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if main else None
    try:
        with _quiet():
            trainer = lightning.Trainer(
                accelerator=device,
                devices=1,
                max_epochs=epochs,
                reload_dataloaders_every_n_epochs=1,
                num_sanity_val_steps=0,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                callbacks=[keeper],
                default_root_dir=root,
            )
            trainer.fit(module, datamodule=loaders, ckpt_path=resume, weights_only=True)
    except SystemExit:
        # Lightning answers Ctrl-C by leaving the process; whoever called decides that here.
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
