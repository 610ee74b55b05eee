"""The inputs of a network from objects, as a feature map says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Floats, Ints
from l1emu.errors import L1emuError
from l1emu.events.cms_tagger import cms_delta_phi, cms_dxy, cms_inverse, cms_log
from l1emu.events.hardware import DXY_STEP_CM, PT_MAX, PT_STEP_GEV
from l1emu.layers import Tensor
from l1emu.taggers.columns import MemberLists, Tagged
from l1emu.taggers.maps import (
    EVENT,
    OBJECT,
    SUMS,
    Feature,
    FeatureMap,
    FeatureStep,
    FieldCondition,
    MapPart,
    PairFeature,
)

_STEPS: dict[str, Callable[[Floats], Floats]] = {
    "abs": np.abs,
    "sqrt": np.sqrt,
    "square": np.square,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "round": np.rint,
    "floor": np.floor,
    "wrap": lambda phi: (phi + math.pi) % (2 * math.pi) - math.pi,
    "float32": lambda values: values.astype(np.float32).astype(np.float64),
    "parity": lambda values: values % 2,
    "cms_log": lambda pt: cms_log(_pt_words(pt)) / 1024,
    "cms_dxy": lambda dxy: cms_dxy(np.rint(dxy / DXY_STEP_CM).astype(np.int64)).astype(np.float64),
    "cms_delta_phi": lambda words: cms_delta_phi(words.astype(np.int64), "v0.0.0").astype(np.float64),
}


def _pt_words(pt: Floats) -> Ints:
    """pt in GeV as words of 0.25 GeV; those outside of the word are at its ends."""
    words: Ints = np.clip(np.rint(pt / PT_STEP_GEV), 0, PT_MAX).astype(np.int64)
    return words


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """An input of a network and the map that fills it; `where` names it in messages."""

    tensor: Tensor
    map: FeatureMap
    where: str

    def check(self, of: str) -> None:
        """Check that the map makes what the network takes, of what the tagger looks at.

        Raises
        ------
        L1emuError
            naming the input, the shape that it wants and the one that the map gives.
        """
        made, wanted = _long_axes(self.map.shape), _long_axes(self.tensor.shape)
        # one axis has one order, whatever the axes of the other
        if math.prod(made) != math.prod(wanted) or (made != wanted and min(len(made), len(wanted)) > 1):
            raise L1emuError(
                "the feature map does not fit the firmware",
                where=self.where,
                value=self.map.shape,
                expected=f"{self.tensor.shape}, the shape of this input{_hint(made, wanted)}",
            )
        for part in self.map.blocks:
            if of == EVENT and part.of == OBJECT:
                raise L1emuError(
                    "a tagger of whole crossings has no object", where=self.where, value=OBJECT, expected="a collection"
                )
            relative = next((f for f in part.features if f.relative), None)
            if of == EVENT and relative is not None:
                raise L1emuError(
                    "a tagger of whole crossings has no object to be relative to",
                    where=f"{self.where}, field {relative.label}",
                    value=relative.relative,
                )

    def values(self, tagged: Tagged) -> npt.NDArray[Any]:
        """The input for every tagged object: float32 or float64, (objects, *shape of the map).

        Raises
        ------
        L1emuError
            if a value is NaN, or a table does not have it.
        """
        if self.map.pairs is not None:
            return self._pairs(self.map.pairs, tagged)
        blocks = [self._block(part, tagged) for part in self.map.blocks]
        made: npt.NDArray[Any]
        if len({block.shape[2] for block in blocks}) > 1:
            made = np.concatenate(
                [block.reshape(len(block), block.shape[1] * block.shape[2]) for block in blocks], axis=1
            )
        else:
            made = blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
        if self.map.layout == "fields_first":
            made = np.ascontiguousarray(made.transpose(0, 2, 1))
        return made

    def _block(self, part: MapPart, tagged: Tagged) -> npt.NDArray[Any]:
        """One part, (objects, places, numbers)."""
        lists = tagged.members(part.of or "")
        index, owner, place = _placed(lists, part, tagged.count)
        out = np.empty((tagged.count, part.places, part.width), np.dtype(self.map.precision))
        chosen = _Chosen(lists, index, tagged, owner)
        first = 0
        with np.errstate(all="ignore"):
            for feature in part.features:
                last = first + feature.width
                padding = part.padding if feature.padding is None else feature.padding
                made = self._numbers(feature, chosen)
                if part.of == SUMS:  # NaN is that there is none
                    made = np.where(np.isnan(chosen.member(feature.field or ""))[:, None], padding, made)
                self._check_numbers(feature, made, chosen)
                out[:, :, first:last] = padding
                out[owner, place, first:last] = made
                first = last
        return out

    def _pairs(self, pairs: Sequence[PairFeature], tagged: Tagged) -> npt.NDArray[Any]:
        """Numbers of every two members, (objects, places, places, numbers)."""
        part, count = self.map, self.map.places
        lists = tagged.members(part.of or "")
        index, owner, place = _placed(lists, part, tagged.count)
        there = np.zeros((tagged.count, count), np.bool_)
        there[owner, place] = True
        columns = {}
        for name in dict.fromkeys(field for feature in pairs for field in feature.fields()):
            columns[name] = np.zeros((tagged.count, count))
            columns[name][owner, place] = lists.column(name)[index]
        both = there[:, :, None] & there[:, None, :]
        out = np.full((tagged.count, count, count, len(pairs)), part.padding, np.dtype(part.precision))
        with np.errstate(all="ignore"):
            for number, feature in enumerate(pairs):
                made = _clipped(pair_numbers(feature.pair, columns) * feature.scale + feature.offset, feature.clip)
                if np.isnan(made[both]).any():
                    raise L1emuError(
                        "NaN is made, and its cast to fixed point is undefined",
                        where=f"{self.where}, pairs {feature.pair}",
                        expected="finite pt, eta and phi, or `where` to leave objects out",
                    )
                out[..., number] = np.where(both, made, part.padding)
        return out

    def _numbers(self, feature: Feature, chosen: _Chosen) -> Floats:
        """The numbers of a feature, (members, width)."""
        meets = _meets(feature.when, chosen.member, len(chosen.index))
        made = _unscaled(feature, chosen)
        if feature.one_hot is not None:
            made = (made[:, None] == np.array(feature.one_hot)).astype(np.float64)
        else:
            if feature.table is not None:
                made = self._looked_up(feature, feature.table, made, meets)
            made = made[:, None]
        for step in feature.steps:
            made = _stepped(step, made)
        made = _clipped(made * feature.scale + feature.offset, feature.clip)
        found: Floats = np.where(meets[:, None], made, feature.otherwise)
        return found

    def _looked_up(
        self, feature: Feature, table: dict[float, float], values: Floats, meets: npt.NDArray[np.bool_]
    ) -> Floats:
        keys = np.array(sorted(table))
        place = np.minimum(np.searchsorted(keys, values), len(keys) - 1)
        wrong = (keys[place] != values) & meets
        if wrong.any():
            raise L1emuError(
                "the table has no such value",
                where=f"{self.where}, field {feature.label}",
                value=values[wrong][0].item(),
                expected=f"one of {', '.join(f'{key:g}' for key in keys)}",
            )
        found: Floats = np.array([table[key] for key in keys.tolist()])[place]
        return found

    def _check_numbers(self, feature: Feature, made: Floats, chosen: _Chosen) -> None:
        wrong = np.isnan(made).any(axis=1)
        if wrong.any():
            raw = "" if feature.field is None else f" of {chosen.member(feature.field)[wrong][0]:g}"
            raise L1emuError(
                f"NaN is made{raw}, and its cast to fixed point is undefined",
                where=f"{self.where}, field {feature.label}",
                expected="numbers, or `when` to leave this one out",
            )


@dataclass(frozen=True, eq=False)
class _Chosen:
    """The members that fill the places of an input: `index` in their lists, `owner` the tagged object of each."""

    lists: MemberLists
    index: Ints
    tagged: Tagged
    owner: Ints

    def member(self, name: str) -> Floats:
        return self.lists.column(name)[self.index]

    def of_object(self, name: str) -> Floats:
        return self.tagged.object_column(name)[self.owner]


def _chosen(lists: MemberLists, part: MapPart) -> Ints:
    """The members that may fill places: those that meet `where`, list by list, in the order that is asked for."""
    index = np.flatnonzero(_meets(part.where, lists.column, len(lists.owner)))
    if part.order is None or not len(index):
        return index
    value, owner = lists.column(part.order)[index], lists.owner[index]
    if ((value[1:] <= value[:-1]) | (owner[1:] != owner[:-1])).all():
        return index
    ordered: Ints = index[np.lexsort((-value, owner))]  # stable, NaN last
    return ordered


def _placed(lists: MemberLists, part: MapPart, tagged: int) -> tuple[Ints, Ints, Ints]:
    """Of the members for whom there is room: their index, the tagged object of each, and its place."""
    index = _chosen(lists, part)
    owner = lists.owner[index]
    place = _place_in_list(owner, tagged)
    index, owner, place = (values[place < part.places] for values in (index, owner, place))
    return index, owner, place


_LEAST = 1e-8
"""Of which logarithms of pairs are taken at least: an object has no distance from itself."""


def pair_numbers(pair: str, columns: Mapping[str, Floats]) -> Floats:
    """A number of every two of some objects, see `PairFeature`.

    Parameters
    ----------
    columns
        pt, eta and phi as they are needed, (lists, objects).

    Returns
    -------
    (lists, objects, objects): of the first and the second.
    """

    def both(name: str) -> tuple[Floats, Floats]:
        return columns[name][:, :, None], columns[name][:, None, :]

    def delta(name: str) -> Floats:
        first, second = both(name)
        difference: Floats = first - second
        return _STEPS["wrap"](difference) if name == "phi" else difference

    if pair.startswith("delta_"):
        return delta(pair.removeprefix("delta_"))
    if pair == "log_delta_r":
        value = np.hypot(delta("eta"), delta("phi"))
    elif pair == "log_kt":
        value = np.minimum(*both("pt")) * np.hypot(delta("eta"), delta("phi"))
    elif pair == "log_z":
        value = np.minimum(*both("pt")) / np.add(*both("pt"))
    else:
        value = 2 * np.multiply(*both("pt")) * (np.cosh(delta("eta")) - np.cos(delta("phi")))
    found: Floats = np.log(np.maximum(value, _LEAST))
    return found


def _place_in_list(owner: Ints, lists: int) -> Ints:
    counts = np.bincount(owner, minlength=lists)
    return np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def _meets(conditions: Sequence[FieldCondition], column: Callable[[str], Floats], size: int) -> npt.NDArray[np.bool_]:
    met = np.ones(size, np.bool_)
    for condition in conditions:
        values = column(condition.field)
        if condition.values is not None:
            met &= np.isin(values, condition.values)
        if condition.min is not None:
            met &= values >= condition.min
        if condition.max is not None:
            met &= values <= condition.max
    return met


def _unscaled(feature: Feature, chosen: _Chosen) -> Floats:
    """The field of each member, relative to the tagged object where that is asked for, (members,)."""
    if feature.relative == "delta_r":
        d_eta = chosen.member("eta") - chosen.of_object("eta")
        return np.hypot(d_eta, _STEPS["wrap"](chosen.member("phi") - chosen.of_object("phi")))
    if feature.field is None:
        return np.full(len(chosen.index), feature.value, np.float64)
    values = chosen.member(feature.field)
    if feature.relative is None:
        return values
    reference = chosen.of_object(feature.to or feature.field)
    if feature.relative == "ratio":
        return values / reference
    if feature.relative == "cms_ratio":
        found: Floats = _pt_words(values) * cms_inverse(_pt_words(reference)) / 2**16
        return found
    difference = values - reference
    return difference if feature.relative == "difference" else _STEPS["wrap"](difference)


def _stepped(step: FeatureStep, values: Floats) -> Floats:
    if step.do is not None:
        return _STEPS[step.do](values)
    if step.scale is not None:
        return values * step.scale
    if step.offset is not None:
        return values + step.offset
    return _clipped(values, step.clip)


def _clipped(values: Floats, clip: list[float | None] | None) -> Floats:
    low, high = clip or (None, None)
    if low is not None:
        values = np.maximum(values, low)
    return values if high is None else np.minimum(values, high)


def _long_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(axis for axis in shape if axis != 1)


def _hint(made: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    turned = len(made) == 2 and made[::-1] == wanted
    return "; the layout may be the other one of objects_first and fields_first" if turned else ""
