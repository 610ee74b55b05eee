"""One pass of training: a network fitted to its rows, the weights of its best epoch kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from tensorflow import keras

from l1emu.progress import Advance, progress
from l1emu.training.arrays_for import Rows
from l1emu.training.pruning import Pruner
from l1emu.training.recipe import TrainingPass

FittedRows = tuple[list[npt.NDArray[Any]], list[npt.NDArray[Any]], npt.NDArray[np.float32]]
"""Inputs and targets in the order of the network's, and weights, (rows, ...) each."""


def fitted_rows(rows: Rows, chosen: npt.NDArray[Any]) -> FittedRows:
    """What Keras learns from the chosen rows, a mask or numbers of rows: classes as int32."""
    part = rows[chosen]
    targets = [truth.target for truth in part.truth.values()]
    return (
        list(part.inputs.values()),
        [target.astype(np.int32) if target.dtype == np.int64 else target for target in targets],
        part.weights,
    )


@dataclass(frozen=True)
class Fit:
    """How a pass went: the lowest validation loss, losses by epoch, and seconds."""

    loss: float
    history: dict[str, list[float]]
    seconds: float


def fit_network(
    model: keras.Model,
    rows: FittedRows,
    validation: FittedRows,
    stage: TrainingPass,
    *,
    batch: int,
    seed: int,
    losses: Sequence[str],
    loss_weights: Sequence[float] | None = None,
    quantized: bool,
    pruner: Pruner | None = None,
) -> Fit:
    """Fit in place with Adam, cosine-annealed; keeps the weights of the epoch with the lowest validation loss.

    Parameters
    ----------
    losses, loss_weights
        Of each output.
    pruner
        What sets weights to zero: then only epochs that begin with all of its zeros count.
    """
    keras.utils.set_random_seed(seed)
    count = len(rows[2])
    batch = min(batch, count)
    steps = max(1, count // batch) * stage.epochs
    warm_up = min(steps // 20, 500)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.1 * stage.learning_rate,
        steps - warm_up,
        alpha=0.1,
        warmup_target=stage.learning_rate,
        warmup_steps=warm_up,
    )
    model.compile(
        keras.optimizers.Adam(schedule, clipnorm=1.0),
        loss=list(losses),
        loss_weights=None if loss_weights is None else list(loss_weights),
        weighted_metrics=[],
        # XLA pays off for the many small operations of the quantizers, where there are enough steps to win back
        # the time it takes to compile
        jit_compile=quantized and steps > 500,
    )
    best = _Best(0 if pruner is None else pruner.settled)
    started = time.perf_counter()
    title = "quantized" if quantized else "float twin"
    with progress(f"training, {title}: epochs", stage.epochs) as advance:
        history = model.fit(
            rows[0],
            rows[1],
            sample_weight=rows[2],
            validation_data=validation,
            batch_size=batch,
            epochs=stage.epochs,
            callbacks=[_Report(advance), *([] if pruner is None else [pruner]), best],
            verbose=0,
        )
    best.restore()
    story = {name: [round(float(v), 6) for v in values] for name, values in history.history.items()}
    return Fit(best.loss, story, time.perf_counter() - started)


class _Report(keras.callbacks.Callback):
    def __init__(self, advance: Advance) -> None:
        super().__init__()
        self.advance = advance

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.advance(1)


class _Best(keras.callbacks.Callback):
    """Keeps the weights of the epoch with the lowest validation loss, or those at the start if none is better."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self.first = first

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.loss = float("inf")
        self.weights = self.model.get_weights()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        loss = (logs or {}).get("val_loss", float("nan"))
        if epoch >= self.first and loss < self.loss:
            self.loss, self.weights = loss, self.model.get_weights()

    def restore(self) -> None:
        """Put the best weights back into the model."""
        self.model.set_weights(self.weights)
