"""Training jets: Level-1 jets of the crossings of hard processes, labelled by the generator's, in an npz."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from l1emu.arrays import check_array, read_npz
from l1emu.errors import L1emuError
from l1emu.events.blocks import Blocks
from l1emu.events.classes import CLASSES
from l1emu.events.features import CONSTITUENTS, FEATURES
from l1emu.events.generate.layout import STREAM_THINNING, BlockLayout
from l1emu.events.generate.recipe import SampleRecipe
from l1emu.events.generate.truth import RADIUS
from l1emu.events.hardware import ETA_PHI_STEP, HALF_TURN
from l1emu.events.jets import Jets, build_jets
from l1emu.events.sample import Batch
from l1emu.files import write_aside
from l1emu.jsontext import parse_json

PART = "sample"
"""The array with the description, JSON, of a part of a recipe's jets; the jets of a whole recipe have none."""

_PILEUP = CLASSES.index("pileup")
_LEADING = 2  # generator jets of a collision that give their jets the label of the process
_EVENT_STRIDE = 10_000_000  # hard event id = pool number * stride + number in the pool

_COLUMNS = ("features", "label", "pt", "eta", "event")


def jets_of(recipe: SampleRecipe, batches: Iterable[Batch]) -> dict[str, NDArray[Any]]:
    """The jets of crossings with truth: the arrays of the npz, all that the recipe's cuts leave.

    Parameters
    ----------
    batches
        Crossings of hard processes, each batch of one.
    """
    assert recipe.jets is not None  # the schema's promise for this kind
    bins, classes = len(recipe.pileup.collisions), jet_classes(recipe)
    rows: dict[str, list[NDArray[Any]]] = {key: [] for key in _COLUMNS}
    for batch in batches:
        process = int(batch.stratum[0])
        jets = build_jets(batch.candidates, min_pt_gev=recipe.jets.min_pt_gev, vertex_z0=batch.vertex_z0)
        kept = np.abs(jets.eta) * ETA_PHI_STEP < recipe.jets.max_abs_eta
        assert batch.truth is not None
        if recipe.jets.label_by == "process":
            name = recipe.hard[process].label
            assert name is not None  # the schema's promise for this way to label
            nearest, crossing = _label_by_truth(jets, batch.truth[:, :_LEADING])
            kept &= nearest != _PILEUP
            label = np.full(len(nearest), classes.index(name), np.int8)
        else:
            label, crossing = _label_by_truth(jets, batch.truth)
        rows["features"].append(jets.features[kept])
        rows["label"].append(label[kept])
        rows["pt"].append(jets.pt[kept])
        rows["eta"].append(jets.eta[kept])
        rows["event"].append((bins + process) * _EVENT_STRIDE + batch.hard_event[crossing[kept]])
    return {key: np.concatenate(parts) for key, parts in rows.items()}


def jet_classes(recipe: SampleRecipe) -> list[str]:
    """The names of the labels."""
    return recipe.classes or list(CLASSES)


def write_jets(recipe: SampleRecipe, arrays: dict[str, NDArray[Any]], target: Path) -> dict[str, Any]:
    """Write all jets of a recipe, of each class at most as many as it says; returns the numbers for the summary."""
    assert recipe.jets is not None  # the schema's promise for this kind
    classes = jet_classes(recipe)
    available = np.bincount(arrays["label"], minlength=len(classes))
    if recipe.jets.max_per_class is not None:
        chosen = _thinned(arrays["label"], len(classes), recipe.jets.max_per_class, (recipe.seed, STREAM_THINNING))
        arrays = {key: a[chosen] for key, a in arrays.items()}
    with write_aside(target) as aside:
        np.savez(aside, **arrays, classes=np.array(classes))
    return _numbers(arrays["label"], classes, available)


class _Description(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    recipe: dict[str, Any]
    versions: dict[str, str]
    pool_sizes: dict[str, int]
    first: int
    stop: int


@dataclass(frozen=True)
class JetsPart:
    """An npz with the jets of some blocks of a recipe, none left out: which are is decided among all of the recipe."""

    path: Path
    recipe: SampleRecipe
    blocks: Blocks | None
    versions: dict[str, str]
    pool_sizes: dict[str, int]

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.recipe.name

    @property
    def recipe_hash(self) -> str:
        """The recipe's hash."""
        return self.recipe.hash

    @property
    def crossings(self) -> int:
        """How many crossings its jets are of."""
        return self.recipe.crossings if self.blocks is None else self.blocks.crossings

    def write(self, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
        """Write the jets of its blocks; returns the numbers for the summary."""
        assert self.blocks is not None
        classes = jet_classes(self.recipe)
        about = {
            "recipe": self.recipe.document(),
            "versions": self.versions,
            "pool_sizes": self.pool_sizes,
            "first": self.blocks.ranges[0].first,
            "stop": self.blocks.ranges[0].stop,
        }
        with write_aside(self.path) as aside:
            np.savez(aside, **arrays, classes=np.array(classes), **{PART: np.array(json.dumps(about))})
        return _numbers(arrays["label"], classes, np.bincount(arrays["label"], minlength=len(classes)))

    @staticmethod
    def read(path: Path) -> JetsPart:
        """What an npz says of its jets.

        Raises
        ------
        L1emuError
            if it is no part of a recipe's jets.
        """
        text = check_array(read_npz(path, (PART,))[PART], path=path, where=PART, kinds="U", shape=())
        try:
            about = _Description.model_validate(parse_json(str(text)))
            recipe = SampleRecipe.model_validate(about.recipe)
            blocks = BlockLayout(recipe).blocks(about.first, about.stop)
            if recipe.kind != "jets":
                raise L1emuError("not a recipe of training jets", value=recipe.kind, expected="jets")
        except ValidationError as error:
            first = error.errors()[0]
            place = ": ".join([PART, ".".join(map(str, first["loc"]))]).rstrip(": ")
            raise L1emuError(f"the description is unreadable ({first['msg']})", path=path, where=place) from None
        except L1emuError as error:
            raise L1emuError(error.message, path=path, where=PART, value=error.value, expected=error.expected) from None
        return JetsPart(path, recipe, blocks, about.versions, about.pool_sizes)

    def jets(self) -> dict[str, NDArray[Any]]:
        """The arrays of the npz.

        Raises
        ------
        L1emuError
            if they do not fit together, or to the recipe.
        """
        arrays = read_npz(self.path, _COLUMNS)
        jets = arrays["label"].size
        most = {"label": len(jet_classes(self.recipe)) - 1}
        for name, column in arrays.items():
            shape = (jets, CONSTITUENTS, len(FEATURES)) if name == "features" else (jets,)
            low = 0 if name in most else None
            check_array(column, path=self.path, where=name, kinds="i", shape=shape, low=low, high=most.get(name))
        return arrays


def merge_jets(given: Sequence[JetsPart], target: Path) -> tuple[JetsPart, dict[str, Any]]:
    """Write the jets of all parts of a recipe, in any order, as the recipe makes them in one go.

    Returns
    -------
    What was written, and the numbers for the summary.

    Raises
    ------
    L1emuError
        if parts are not of one recipe, versions and pools, are there twice or missing, or one is damaged.
    """
    if not given:
        raise L1emuError("a sample has at least one file", value=0)
    parts = sorted(given, key=_first)
    whole, end = parts[0], 0
    for before, part in zip([parts[-1], *parts], parts, strict=False):
        for name in ("recipe_hash", "versions", "pool_sizes"):
            known, found = getattr(whole, name), getattr(part, name)
            if known != found:
                raise L1emuError(
                    f"files of one sample agree in their {name}",
                    path=part.path,
                    where=PART,
                    value=found,
                    expected=f"{known!r}, as in {whole.path}",
                )
        if _first(part) != end:
            twice = _first(part) < end
            raise L1emuError(
                "jets that another file has, too: they would count twice" if twice else "jets before these are missing",
                path=part.path,
                where=PART,
                value=f"blocks from {_first(part)} on",
                expected=f"blocks that are not in {before.path}" if twice else f"blocks from {end} on in other files",
            )
        assert part.blocks is not None
        end = part.blocks.ranges[0].stop
    if end != len(BlockLayout(whole.recipe)):
        raise L1emuError(
            "jets after these are missing",
            path=parts[-1].path,
            where=PART,
            value=f"blocks up to {end}",
            expected=f"{len(BlockLayout(whole.recipe))} blocks in all files together",
        )
    columns = [part.jets() for part in parts]
    arrays = {name: np.concatenate([column[name] for column in columns]) for name in _COLUMNS}
    numbers = write_jets(whole.recipe, arrays, target)
    return replace(whole, path=target, blocks=None), numbers


def _first(part: JetsPart) -> int:
    return 0 if part.blocks is None else part.blocks.ranges[0].first


def _numbers(label: NDArray[Any], classes: list[str], available: NDArray[np.int64]) -> dict[str, Any]:
    counts = np.bincount(label, minlength=len(classes))
    return {
        "jets": int(counts.sum()),
        "jets_per_class": dict(zip(classes, counts.tolist(), strict=True)),
        "jets_available": dict(zip(classes, available.tolist(), strict=True)),
    }


def _label_by_truth(jets: Jets, truth: ak.Array) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """The class of each jet, by the nearest generator jet within 0.4, else pile-up; and the crossing of each jet.

    Parameters
    ----------
    truth
        (crossings, var) generator jets in hardware steps, their flavour an index into `CLASSES`.
    """
    crossing = np.repeat(np.arange(len(jets.counts)), jets.counts)
    label = np.full(len(crossing), _PILEUP, np.int8)
    if len(crossing) == 0:
        return label, crossing
    near = truth[crossing]
    d_eta = near["eta"] - jets.eta
    d_phi = (near["phi"] - jets.phi + HALF_TURN) % (2 * HALF_TURN) - HALF_TURN
    r2 = d_eta * d_eta + d_phi * d_phi
    best = ak.argmin(r2, axis=1, keepdims=True)
    flavour = ak.to_numpy(ak.fill_none(ak.firsts(near["flavour"][best]), _PILEUP))
    distance = ak.to_numpy(ak.fill_none(ak.firsts(r2[best]), math.inf))
    matched = distance < (RADIUS / ETA_PHI_STEP) ** 2
    label[matched] = flavour[matched]
    return label, crossing


def _thinned(label: NDArray[np.int8], classes: int, most: int, seed: tuple[int, ...]) -> NDArray[np.int64]:
    """Indices, in order, of at most `most` jets of each class, chosen at random."""
    rng = np.random.default_rng(list(seed))
    chosen = []
    for k in range(classes):
        of_class = np.flatnonzero(label == k)
        chosen.append(of_class if len(of_class) <= most else rng.choice(of_class, most, replace=False))
    return np.sort(np.concatenate(chosen))
