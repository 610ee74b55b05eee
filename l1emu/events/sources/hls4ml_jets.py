"""The hls4ml LHC jet data sets with 30, 50, 100 or 150 particles (Zenodo 3601436, 3601443 and others), HDF5.

`jetConstituentList` (jets, particles, 16), padded with zeros at the end; `jets` (jets, 59), whose names are in
`jetFeatureNames`; `particleFeatureNames` has 17 names for 16 columns: `j1_pdgid`, the last, has none. The images are
(jets, 100, 100). Labels are the columns j_g, j_q, j_w, j_z, j_t of `jets`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.events.sources.containers import Columns, Container, shown
from l1emu.events.sources.format import Built, Field, Format, checked, unpadded

_LABELS = ("g", "q", "w", "z", "t")
_PARTICLE = {
    "px": ("GeV", "momentum, x"),
    "py": ("GeV", "momentum, y"),
    "pz": ("GeV", "momentum, z"),
    "e": ("GeV", "energy"),
    "erel": ("", "energy over the jet's"),
    "pt": ("GeV", "transverse momentum"),
    "ptrel": ("", "transverse momentum over the jet's"),
    "eta": ("", "pseudorapidity"),
    "etarel": ("", "pseudorapidity minus the jet's"),
    "etarot": ("", "the same, rotated to the jet's second subjet"),
    "phi": ("rad", "azimuth"),
    "phirel": ("rad", "azimuth minus the jet's"),
    "phirot": ("rad", "the same, rotated to the jet's second subjet"),
    "deltaR": ("", "distance from the jet's axis in pseudorapidity and azimuth"),
    "costheta": ("", "cosine of the polar angle"),
    "costhetarel": ("", "cosine of the polar angle relative to the jet"),
}
_SUBSTRUCTURE = (
    "zlogz",
    *(f"c1_{b}" for b in ("b0", "b1", "b2")),
    *(f"{x}_{b}" for x in ("c2", "d2", "d2_a1", "m2", "n2") for b in ("b1", "b2")),
)
_SUBJETTINESS = (*(f"tau{n}_{b}" for b in ("b1", "b2") for n in (1, 2, 3)), "tau32_b1", "tau32_b2")
_JET = (
    "ptfrac",
    "pt",
    "eta",
    "mass",
    *_SUBJETTINESS,
    *_SUBSTRUCTURE,
    *(f"{x}_mmdt" for x in _SUBJETTINESS),
    *(f"{x}_mmdt" for x in _SUBSTRUCTURE[1:]),
    *(f"mass_{x}" for x in ("trim", "mmdt", "prun", "sdb2", "sdm1")),
    "multiplicity",
)
_SELECTS = ("px", "py", "pz", "e", "pt", "eta", "phi")
_IMAGES = {
    "image": ("jetImage", "all particles"),
    "image_ecal": ("jetImageECAL", "electromagnetic calorimeter"),
    "image_hcal": ("jetImageHCAL", "hadronic calorimeter"),
}


def _unit(name: str) -> str:
    return "GeV" if name == "pt" or name.startswith("mass") else ""


def _build(container: Container, columns: Columns, wanted: Sequence[Field]) -> Built:
    built: Built = {}
    groups = {field.group for field in wanted}
    if "jet" in groups or any(field.name == "label" for field in wanted):
        names = _names(container, "jetFeatureNames", "j_")
        jets = checked(container, columns, "jets", 2)
        if jets.shape[1] != len(names):
            raise L1emuError(
                "names and columns differ in number",
                path=container.path,
                where="jets, jetFeatureNames",
                value=(jets.shape[1], len(names)),
            )
        for field in wanted:
            if field.group == "jet":
                built[field.name] = jets[:, _index(container, names, field.name[4:], "jetFeatureNames")]
            elif field.name == "label":
                flags = jets[:, [_index(container, names, label, "jetFeatureNames") for label in _LABELS]]
                of = (flags != 0).sum(axis=1)
                wrong = (of > 1) | ~np.isin(flags, (0, 1)).all(axis=1)
                if wrong.any():
                    raise L1emuError(
                        "a jet of several classes, or of part of one",
                        path=container.path,
                        where=f"jets, entry {columns.start + int(wrong.argmax())}",
                        value=flags[wrong][0].tolist(),
                    )
                built["label"] = np.where(of == 1, flags.argmax(axis=1), -1)
    members = [field.name for field in wanted if field.group == "particles"]
    if members:
        names = _names(container, "particleFeatureNames", "j1_")
        block = checked(container, columns, "jetConstituentList", 3)
        if block.shape[2] > len(names):
            raise L1emuError(
                "fewer names than columns", path=container.path, where="particleFeatureNames", value=len(names)
            )
        names = names[: block.shape[2]]
        for name in members:
            _index(container, names, name.partition(".")[2], "particleFeatureNames")
        full = [f"particles.{name}" for name in names]
        built |= unpadded(container, block, (block != 0).any(axis=2), full, members)
    for field in wanted:
        if field.name in _IMAGES:
            built[field.name] = checked(container, columns, field.columns[0], 3)
    return built


def _names(container: Container, column: str, prefix: str) -> list[str]:
    values: NDArray[Any] = np.asarray(container.whole(column))
    return [(v.decode() if isinstance(v, bytes) else str(v)).removeprefix(prefix) for v in values]


def _index(container: Container, names: Sequence[str], name: str, column: str) -> int:
    if name not in names:
        raise L1emuError(
            f"the name {name!r} is missing",
            path=container.path,
            where=column,
            expected=f"it among {shown(names, name)}",
        )
    return names.index(name)


FORMAT = Format(
    name="hls4ml-jets",
    title="hls4ml LHC jets, particles and high-level features",
    rows="jets",
    containers=("HDF5",),
    markers=("jetConstituentList", "jets"),
    fields=(
        *(
            Field(
                f"jet.{name}", _unit(name), "high-level feature", ("jets", "jetFeatureNames"), finite=name in _SELECTS
            )
            for name in _JET
        ),
        *(
            Field(
                f"particles.{name}",
                unit,
                meaning,
                ("jetConstituentList", "particleFeatureNames"),
                finite=name in _SELECTS,
            )
            for name, (unit, meaning) in _PARTICLE.items()
        ),
        Field("label", "", f"class of the jet: {', '.join(_LABELS)}; -1 undefined", ("jets", "jetFeatureNames")),
        *(
            Field(name, "", f"image (100, 100), {meaning}", (dataset,), optional=True, on_request=True)
            for name, (dataset, meaning) in _IMAGES.items()
        ),
    ),
    build=_build,
    labels=_LABELS,
    whole=("jetFeatureNames", "particleFeatureNames"),
)
