"""Fields of jets as the array that a tagger takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.errors import L1emuError


def stacked(batch: ak.Array, columns: Sequence[str], particles: int | None = None) -> NDArray[Any]:
    """Some fields of a batch, one beside the other.

    Parameters
    ----------
    batch
        (jets,) records, from `Source.iterate`.
    columns
        Fields: all of one number a jet, `features.zlogz`; all of a list a jet, `particles.pt`; or one alone of an array
        a jet, `image`.
    particles
        Of lists, the first so many are taken, in the file's order; jets with fewer are filled up with zeros.

    Returns
    -------
    (jets, columns), (jets, particles, columns), or (jets, …) of the array.

    Raises
    ------
    L1emuError
        if a field is missing, the fields are not of one kind, a number is missing, or lists come without a number of
        particles.
    """
    if not columns:
        raise L1emuError("no fields", expected="one at least")
    values = [_field(batch, name) for name in columns]
    axes = {v.ndim for v in values}
    if len(values) == 1 and values[0].ndim > 2:
        return np.asarray(ak.to_numpy(values[0]))
    if len(axes) != 1 or axes - {1, 2}:
        kinds = {name: f"{v.ndim} axes" for name, v in zip(columns, values, strict=True)}
        raise L1emuError("these fields cannot stand beside one another", value=kinds, expected="fields of one kind")
    if axes == {1}:
        return np.stack([ak.to_numpy(v) for v in values], axis=-1)
    if particles is None:
        raise L1emuError("lists need a number of particles", value=list(columns))
    filled = [ak.fill_none(ak.pad_none(v, particles, axis=1, clip=True), 0) for v in values]
    return np.stack([ak.to_numpy(v) for v in filled], axis=-1)


def _field(batch: ak.Array, name: str) -> ak.Array:
    values = batch
    for part in [name] if name in batch.fields else name.split("."):
        if part not in values.fields:
            raise L1emuError(f"the batch has no field {name!r}", value=values.fields or batch.fields)
        values = values[part]
    if values.fields:
        raise L1emuError(f"{name!r} is a group", value=values.fields, expected="its fields one by one")
    for axis in range(values.ndim):
        if ak.any(ak.is_none(values, axis=axis), axis=None):
            raise L1emuError("a value is missing", where=name, expected="numbers: None is no input of a tagger")
    return values
