"""JetClass (jet-universe/particle_transformer, Zenodo 6619768): ROOT files with one jet an entry of the tree `tree`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import awkward as ak
import numpy as np

from l1emu.errors import L1emuError
from l1emu.events.sources.containers import Columns, Container
from l1emu.events.sources.format import Built, Field, Format, check_finite, checked

LABELS = ("QCD", "Hbb", "Hcc", "Hgg", "H4q", "Hqql", "Zqq", "Wqq", "Tbqq", "Tbl")
"""The classes of jets, by the names of their branches."""
_PARTICLE = (
    ("px", "GeV", "momentum, x"),
    ("py", "GeV", "momentum, y"),
    ("pz", "GeV", "momentum, z"),
    ("energy", "GeV", "energy"),
    ("deta", "", "pseudorapidity minus the jet's, times the sign of the jet's"),
    ("dphi", "rad", "azimuth minus the jet's"),
    ("d0val", "mm", "transverse impact parameter"),
    ("d0err", "mm", "its uncertainty"),
    ("dzval", "mm", "longitudinal impact parameter"),
    ("dzerr", "mm", "its uncertainty"),
    ("charge", "e", "charge"),
    ("isChargedHadron", "", "1 or 0"),
    ("isNeutralHadron", "", "1 or 0"),
    ("isPhoton", "", "1 or 0"),
    ("isElectron", "", "1 or 0"),
    ("isMuon", "", "1 or 0"),
)
_JET = (
    ("pt", "GeV", "transverse momentum"),
    ("eta", "", "pseudorapidity"),
    ("phi", "rad", "azimuth"),
    ("energy", "GeV", "energy"),
    ("nparticles", "", "number of particles"),
    ("sdmass", "GeV", "soft-drop mass"),
    ("tau1", "", "1-subjettiness"),
    ("tau2", "", "2-subjettiness"),
    ("tau3", "", "3-subjettiness"),
    ("tau4", "", "4-subjettiness"),
)
_AUX = (
    ("genpart_eta", "", "pseudorapidity of the generator particle"),
    ("genpart_phi", "rad", "azimuth of the generator particle"),
    ("genpart_pid", "", "PDG number of the generator particle"),
    ("genpart_pt", "GeV", "transverse momentum of the generator particle"),
    ("truth_match", "", "whether its decay products are in the jet"),
)
_MOMENTUM = ("px", "py", "pz")
_OF_MOMENTUM: dict[str, tuple[str, str, Callable[..., ak.Array]]] = {
    "pt": ("GeV", "transverse momentum, of px and py", lambda px, py, _: np.hypot(px, py)),
    "eta": ("", "pseudorapidity, of the momentum", lambda px, py, pz: np.arcsinh(pz / np.hypot(px, py))),
    "phi": ("rad", "azimuth, of px and py", lambda px, py, _: np.arctan2(py, px)),
}
"""What the files have not, and maps of features and of pairs ask for: unit, meaning, and how it is made."""
_SELECTS = ("pt", "eta", "phi", "px", "py", "pz", "energy", "deta", "dphi")


def _build(container: Container, columns: Columns, wanted: Sequence[Field]) -> Built:
    built: Built = {}
    for field in wanted:
        if field.name == "label":
            # labels are bool, int or float from branch to branch
            flags = np.stack([np.asarray(checked(container, columns, c, 1)) == 1 for c in field.columns], axis=1)
            if (flags.sum(axis=1) != 1).any():
                entry = columns.start + int((flags.sum(axis=1) != 1).argmax())
                raise L1emuError(
                    "a jet of no class or of several", path=container.path, where=f"label_*, entry {entry}"
                )
            built["label"] = flags.argmax(axis=1)
        elif len(field.columns) == len(_MOMENTUM):
            momentum = [ak.Array(checked(container, columns, column, 2)) for column in field.columns]
            for column, values in zip(field.columns, momentum, strict=True):
                check_finite(container, columns, column, values)
            with np.errstate(divide="ignore", invalid="ignore"):  # along the beam it is infinite, which is refused
                built[field.name] = _OF_MOMENTUM[field.name.rpartition(".")[2]][2](*momentum)
        else:
            axes = 2 if field.group == "particles" else 1
            values = checked(container, columns, field.columns[0], axes)
            built[field.name] = values if isinstance(values, ak.Array) else ak.from_numpy(values)
    return built


FORMAT = Format(
    name="jetclass",
    title="JetClass",
    rows="jets",
    containers=("ROOT",),
    markers=("tree/part_px", "tree/label_QCD"),
    fields=(
        *(
            Field(f"jet.{name}", unit, meaning, (f"tree/jet_{name}",), finite=name in _SELECTS)
            for name, unit, meaning in _JET
        ),
        *(
            Field(f"particles.{name}", unit, meaning, (f"tree/part_{name}",), finite=name in _SELECTS)
            for name, unit, meaning in _PARTICLE
        ),
        *(
            Field(
                f"particles.{name}", unit, meaning, tuple(f"tree/part_{p}" for p in _MOMENTUM), False, True, finite=True
            )
            for name, (unit, meaning, _) in _OF_MOMENTUM.items()
        ),
        Field("label", "", f"class of the jet: {', '.join(LABELS)}", tuple(f"tree/label_{x}" for x in LABELS)),
        *(Field(f"aux.{name}", unit, meaning, (f"tree/aux_{name}",), True) for name, unit, meaning in _AUX),
    ),
    build=_build,
    labels=LABELS,
)
