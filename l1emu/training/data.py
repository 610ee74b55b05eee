"""Labelled jets for training: read, checked, split by event, weighted so that no class stands out by its pT."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.arrays import check_array, read_npz
from l1emu.errors import L1emuError
from l1emu.splitmix import GOLDEN, mix
from l1emu.training.recipe import Recipe, Training

INPUT_FRACTION = 6
"""Fraction bits of the stored features: the integer k means k / 64."""
_PT_STEP_GEV = 0.25
"""Step of the stored transverse momenta."""


@dataclass(frozen=True)
class LabelledJets:
    """Jets with their truth class.

    Attributes
    ----------
    features
        int16 (jets, constituents, features), in steps of 1/64.
    label
        int8 (jets,), index into the recipe's classes.
    pt, eta
        int32 (jets,), in hardware steps: transverse momentum in 0.25 GeV, pseudorapidity in pi/720.
    event
        int64 (jets,): which simulated collision the jet is from.
    """

    features: npt.NDArray[np.int16]
    label: npt.NDArray[np.int8]
    pt: npt.NDArray[np.int32]
    eta: npt.NDArray[np.int32]
    event: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label)

    def __getitem__(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64] | slice) -> LabelledJets:
        return LabelledJets(
            self.features[chosen], self.label[chosen], self.pt[chosen], self.eta[chosen], self.event[chosen]
        )

    def inputs(self) -> npt.NDArray[np.float32]:
        """The network's input, float32 (jets, constituents, features)."""
        return self.features.astype(np.float32) * np.float32(2.0**-INPUT_FRACTION)

    def content_hash(self) -> str:
        """SHA-256 of the arrays themselves, whatever the file they came in."""
        digest = hashlib.sha256()
        for array in (self.features, self.label, self.pt, self.eta, self.event):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


_TYPES: dict[str, type[np.signedinteger[Any]]] = {
    "features": np.int16,
    "label": np.int8,
    "pt": np.int32,
    "eta": np.int32,
    "event": np.int64,
}


def read_jets(path: str | os.PathLike[str], recipe: Recipe) -> LabelledJets:
    """Read an npz of labelled jets and check it against `recipe`.

    Raises
    ------
    L1emuError
        if the file is no npz, lacks an array, or an array has another shape or values out of range.
    """
    file = Path(path)
    if not file.exists():
        raise L1emuError("no such file", path=file, expected="an npz of labelled jets")
    arrays = read_npz(file, _TYPES)
    shape = recipe.architecture
    jets = arrays["label"].size
    for name, array in arrays.items():
        inside = (jets, shape.constituents, shape.features) if name == "features" else (jets,)
        if name in ("features", "label"):  # whose ranges are the recipe's
            check_array(array, path=file, where=name, kinds="iu", shape=inside)
        else:
            span = np.iinfo(_TYPES[name])
            check_array(array, path=file, where=name, kinds="iu", shape=inside, low=span.min, high=span.max)
    if jets == 0:
        raise L1emuError("no jets", path=file)
    label, features = arrays["label"], arrays["features"]
    if label.min() < 0 or label.max() >= len(shape.classes):
        raise L1emuError(
            "a label without class",
            path=file,
            where="label",
            value=int(label.max() if label.min() >= 0 else label.min()),
            expected=f"0 to {len(shape.classes) - 1}: {', '.join(shape.classes)}",
        )
    limit = 1 << (recipe.input.width - 1)
    step = recipe.input.width - recipe.input.integer - INPUT_FRACTION
    if step != 0:
        raise L1emuError(
            "features in steps of 1/64 are off the grid of the input type",
            path=file,
            value=f"ap_fixed<{recipe.input.width},{recipe.input.integer}>",
            expected=f"{INPUT_FRACTION} fraction bits in the recipe's input",
        )
    if features.min() < -limit or features.max() >= limit:
        raise L1emuError(
            "features out of the range of the input type, where they would wrap",
            path=file,
            where="features",
            value=(int(features.min()), int(features.max())),
            expected=f"{-limit} to {limit - 1}",
        )
    return LabelledJets(*(np.ascontiguousarray(arrays[name], dtype=kind) for name, kind in _TYPES.items()))


def split_jets(jets: LabelledJets, training: Training) -> tuple[npt.NDArray[np.bool_], ...]:
    """Masks of the jets to train on, to validate on and held out; all jets of an event fall into the same one.

    The event's number and the recipe's seed decide (`l1emu.splitmix`), so an event's part does not depend on which
    other events are in the file.
    """
    start = np.uint64((training.seed + 1) * int(GOLDEN) % (1 << 64))
    uniform = (mix(jets.event.astype(np.uint64) + start) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    held_out = uniform < training.test_fraction
    validation = ~held_out & (uniform < training.test_fraction + training.validation_fraction)
    return ~held_out & ~validation, validation, held_out


def flattening_weights(jets: LabelledJets, training: Training, classes: int) -> npt.NDArray[np.float64]:
    """A weight a jet, float64 (jets,), with which every class has the same pT spectrum and the same total.

    In each bin of pT the classes present share equal sums of weights; the bin's total is the mean over classes of the
    fraction of the class's jets that lie in it. A weight is cut at `largest_weight` times the mean.
    """
    edges = np.asarray(training.pt_bins_gev)
    place = np.clip(np.digitize(jets.pt * _PT_STEP_GEV, edges) - 1, 0, len(edges) - 2)
    count = np.zeros((classes, len(edges) - 1))
    np.add.at(count, (jets.label.astype(np.int64), place), 1.0)
    per_class = count.sum(axis=1, keepdims=True)
    target = (count / np.maximum(per_class, 1.0)).mean(axis=0)
    weight = (target / np.maximum(count, 1.0))[jets.label.astype(np.int64), place]
    weight /= weight.mean()
    weight = np.minimum(weight, training.largest_weight)
    return np.asarray(weight / weight.mean(), dtype=np.float64)
