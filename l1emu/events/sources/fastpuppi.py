"""PUPPI candidates of FastPUPPI's `perfNano` ntuples (p2l1pfp/FastPUPPI, runPerformanceNTuple.py, `saveCands`).

Table `L1PuppiCands`. Productions differ: all have pt, eta, phi, mass, charge, pdgId and puppiWeight; `z0` and `dxy`
are there if the production asked for them, the vertex of the global track trigger if NanoAOD's tables were run too.
pt is the candidate's after its weight. `dxy` is 0 throughout where tracks were fitted with four parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

import awkward as ak

from l1emu.events.sources.containers import Columns, Container
from l1emu.events.sources.format import Built, Field, Format, checked

_TABLE = "Events/L1PuppiCands"

_GEN_JET = (
    ("pt", "GeV", "transverse momentum"),
    ("eta", "", "pseudorapidity"),
    ("phi", "rad", "azimuth"),
    ("mass", "GeV", "mass"),
)


def _field(name: str, branch: str, unit: str, meaning: str, optional: bool = False) -> Field:
    # of a candidate, all but the mass makes jets and features
    return Field(f"candidates.{name}", unit, meaning, (f"{_TABLE}_{branch}",), optional, finite=name != "mass")


def _build(container: Container, columns: Columns, wanted: Sequence[Field]) -> Built:
    built: Built = {}
    for field in wanted:
        values = checked(container, columns, field.columns[0], 2)
        built[field.name] = ak.firsts(values) if field.name == "vertex_z0" else values
    return built


FORMAT = Format(
    name="fastpuppi",
    title="FastPUPPI candidate ntuple",
    rows="crossings",
    containers=("ROOT",),
    markers=(f"{_TABLE}_pt",),
    fields=(
        _field("pt", "pt", "GeV", "transverse momentum, weighted"),
        _field("eta", "eta", "", "pseudorapidity"),
        _field("phi", "phi", "rad", "azimuth"),
        _field("mass", "mass", "GeV", "mass", True),
        _field("charge", "charge", "e", "charge"),
        _field(
            "pdg_id", "pdgId", "", "211 charged hadron, 130 neutral hadron, 22 photon, 11 electron, 13 muon; signed"
        ),
        _field("puppi_weight", "puppiWeight", "", "PUPPI weight, 0 to 1"),
        _field("z0", "z0", "cm", "z of the track at the beam line; 0 of neutrals", True),
        _field("dxy", "dxy", "cm", "transverse impact parameter; 0 of neutrals", True),
        Field(
            "vertex_z0",
            "cm",
            "z of the leading primary vertex; None without one",
            ("Events/L1PV_z0",),
            True,
            finite=True,
        ),
        *(
            Field(
                f"gen_jets.{name}",
                unit,
                f"{meaning}, of generator jets",
                (f"Events/GenJets_{name}",),
                optional=True,
                finite=name != "mass",
            )
            for name, unit, meaning in _GEN_JET
        ),
    ),
    build=_build,
)
