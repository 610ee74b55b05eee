"""Our own samples (`l1emu.events.sample`) as a source: candidates and generator jets in hardware steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from l1emu.errors import L1emuError
from l1emu.events.branches import CANDIDATE_TYPES, TREE, TRUTH_TYPES
from l1emu.events.packing import PACKED_TYPES, unpack_candidates
from l1emu.events.sources.containers import Columns, Container
from l1emu.events.sources.format import Built, Field, Format, checked

_STEPS = {
    "pt": ("0.25 GeV", "transverse momentum"),
    "eta": ("pi/720", "pseudorapidity"),
    "phi": ("pi/720 rad", "azimuth"),
    "id": ("", "0 charged hadron, 1 electron, 2 muon, 3 photon, 4 neutral hadron"),
    "charge": ("e", "-1, 0 or 1"),
    "z0": (
        "0.05 cm",
        "z of the track; relative to the primary vertex in a file without `vertex_z0`",
    ),
    "dxy": ("1/256 cm", "transverse impact parameter"),
    "weight": ("1/256", "PUPPI weight"),
    "emid": ("", "the cluster's word for neutral candidates, 0 for charged ones"),
    "quality": ("", "the track's word for charged candidates, 0 for neutral ones"),
    "flavour": ("", "0 b, 1 c, 2 uds, 3 g"),
}


def _build(container: Container, columns: Columns, wanted: Sequence[Field]) -> Built:
    return {f.name: checked(container, columns, f.columns[0], 2 if f.group else 1) for f in wanted}


def _build_packed(container: Container, columns: Columns, wanted: Sequence[Field]) -> Built:
    built = _build(container, columns, [f for f in wanted if f.group != "candidates"])
    members = [f.name for f in wanted if f.group == "candidates"]
    if members:
        words = {name: checked(container, columns, f"{TREE}/{name}", 2) for name in _PACKED}
        vertex = np.asarray(checked(container, columns, _VERTEX, 1)).astype(np.int64)
        try:
            candidates = unpack_candidates(words, vertex)
        except L1emuError as error:
            raise error.within(container.path) from None
        built |= {name: candidates[name.partition(".")[2]] for name in members}
    return built


_VERTEX = f"{TREE}/vertex_z0"
_PACKED = [f"{prefix}_{name}" for prefix, types in PACKED_TYPES.items() for name in types]


def _number(name: str, meaning: str, unit: str = "", optional: bool = True) -> Field:
    return Field(name, unit, meaning, (f"{TREE}/{name}",), optional)


_CROSSING = (
    _number("stratum", "index into the sample's strata", optional=False),
    _number("hard_event", "collision that set the stratum; -1 if none", optional=False),
    _number("vertex_z0", "z of the primary vertex", "0.05 cm"),
    _number("weight", "for how many drawn crossings it stands", "1/65536"),
    _number("slice", "slice of the pools that its collisions are from"),
    _number("place", "its number among the crossings drawn"),
)
_TRUTH = tuple(Field(f"truth.{f}", *_STEPS[f], (f"{TREE}/truth_{f}",), True) for f in TRUTH_TYPES)
_LATER = ("emid", "quality")

FORMAT = Format(
    name="l1emu",
    title="crossings made by `l1emu generate`",
    rows="crossings",
    containers=("ROOT",),
    markers=(f"{TREE}/candidate_pt", f"{TREE}/stratum"),
    fields=(
        *_CROSSING,
        *(Field(f"candidates.{f}", *_STEPS[f], (f"{TREE}/candidate_{f}",), f in _LATER) for f in CANDIDATE_TYPES),
        *_TRUTH,
    ),
    build=_build,
)

FORMAT_PACKED = Format(
    name="l1emu-packed",
    title="crossings made by `l1emu generate`, with packed candidates",
    rows="crossings",
    containers=("ROOT",),
    markers=(f"{TREE}/packed_kind", f"{TREE}/stratum"),
    fields=(
        *_CROSSING,
        *(
            Field(f"candidates.{f}", *_STEPS[f], (_VERTEX, *(f"{TREE}/{name}" for name in _PACKED)))
            for f in CANDIDATE_TYPES
        ),
        *_TRUTH,
    ),
    build=_build_packed,
)
