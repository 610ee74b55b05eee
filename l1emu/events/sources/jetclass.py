"""JetClass (jet-universe/particle_transformer, Zenodo 6619768): ROOT files with one jet an entry of the tree `tree`."""

from __future__ import annotations

from collections.abc import Sequence

import awkward as ak
import numpy as np

from l1emu.errors import L1emuError
from l1emu.events.sources.containers import Columns, Container
from l1emu.events.sources.format import Built, Field, Format, checked

_LABELS = ("QCD", "Hbb", "Hcc", "Hgg", "H4q", "Hqql", "Zqq", "Wqq", "Tbqq", "Tbl")
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
        Field("label", "", f"class of the jet: {', '.join(_LABELS)}", tuple(f"tree/label_{x}" for x in _LABELS)),
        *(Field(f"aux.{name}", unit, meaning, (f"tree/aux_{name}",), True) for name, unit, meaning in _AUX),
    ),
    build=_build,
    labels=_LABELS,
)
