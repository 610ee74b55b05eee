"""Our own samples (`l1emu.events.sample`) as a source: candidates and generator jets in hardware steps."""

from __future__ import annotations

from collections.abc import Sequence

from l1emu.events.sample import CANDIDATE_TYPES, TREE, TRUTH_TYPES
from l1emu.events.sources.containers import Columns, Container
from l1emu.events.sources.format import Built, Field, Format, checked

_STEPS = {
    "pt": ("0.25 GeV", "transverse momentum"),
    "eta": ("pi/720", "pseudorapidity"),
    "phi": ("pi/720 rad", "azimuth"),
    "id": ("", "0 charged hadron, 1 electron, 2 muon, 3 photon, 4 neutral hadron"),
    "charge": ("e", "-1, 0 or 1"),
    "z0": ("0.05 cm", "z of the track minus that of the primary vertex"),
    "dxy": ("1/256 cm", "transverse impact parameter"),
    "weight": ("1/256", "PUPPI weight"),
    "flavour": ("", "0 b, 1 c, 2 uds, 3 g"),
}


def _build(container: Container, columns: Columns, wanted: Sequence[Field]) -> Built:
    return {f.name: checked(container, columns, f.columns[0], 2 if f.group else 1) for f in wanted}


FORMAT = Format(
    name="l1emu",
    title="crossings made by `l1emu generate`",
    rows="crossings",
    containers=("ROOT",),
    markers=(f"{TREE}/candidate_pt", f"{TREE}/stratum"),
    fields=(
        Field("stratum", "", "index into the sample's strata", (f"{TREE}/stratum",)),
        Field("hard_event", "", "collision that set the stratum; -1 if none", (f"{TREE}/hard_event",)),
        *(Field(f"candidates.{f}", *_STEPS[f], (f"{TREE}/candidate_{f}",)) for f in CANDIDATE_TYPES),
        *(Field(f"truth.{f}", *_STEPS[f], (f"{TREE}/truth_{f}",), True) for f in TRUTH_TYPES),
    ),
    build=_build,
)
