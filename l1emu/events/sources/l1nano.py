"""Level-1 jets of CMS's Phase-2 L1 NanoAOD (cms-sw/cmssw, DPGAnalysis/Phase2L1TNanoAOD/python/l1tPh2Nanotables_cff.py).

Seeded-cone jets `L1puppiJetSC4`, the same with the scores of the multi-class tagger `L1puppiJetSC4NG`, the sums
`L1puppiJetSC4sums` (entry 0 is HT, entry 1 missing HT) and the leading vertex `L1PV`. Candidates are not in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import awkward as ak

from l1emu.events.sources.containers import Columns, Container
from l1emu.events.sources.format import Built, Field, Format, checked

_JETS = "Events/L1puppiJetSC4"
TAGGED = "Events/L1puppiJetSC4NG"
_SUMS = "Events/L1puppiJetSC4sums"
_SCORES = ("uds", "g", "b", "c", "tau_p", "tau_n", "e", "mu")


def _kinematics(group: str, table: str, optional: bool) -> tuple[Field, ...]:
    return (
        Field(f"{group}.pt", "GeV", "transverse momentum", (f"{table}_pt",), optional, finite=True),
        Field(f"{group}.eta", "", "pseudorapidity", (f"{table}_eta",), optional, finite=True),
        Field(f"{group}.phi", "rad", "azimuth", (f"{table}_phi",), optional, finite=True),
        Field(f"{group}.et", "GeV", "transverse energy", (f"{table}_et",), True, finite=True),
    )


def _build(container: Container, columns: Columns, wanted: Sequence[Field]) -> Built:
    built: Built = {}
    for field in wanted:
        values = checked(container, columns, field.columns[0], 2)
        if field.name in _ENTRY:
            entry = _ENTRY[field.name]
            values = ak.firsts(values[:, entry : entry + 1])
        built[field.name] = values
    return built


_ENTRY = {"vertex_z0": 0, "ht": 0, "mht": 1, "mht_phi": 1}

FORMAT = Format(
    name="l1nano",
    title="CMS Phase-2 L1 NanoAOD, seeded-cone jets",
    rows="crossings",
    containers=("ROOT",),
    markers=(f"{_JETS}_pt",),
    fields=(
        Field(
            "vertex_z0",
            "cm",
            "z of the leading primary vertex; None without one",
            ("Events/L1PV_z0",),
            True,
            finite=True,
        ),
        *_kinematics("jets", _JETS, False),
        *_kinematics("tagged_jets", TAGGED, True),
        *(
            Field(f"tagged_jets.score_{name}", "", f"the tagger's score of {name}", (f"{TAGGED}_{name}TagScore",), True)
            for name in _SCORES
        ),
        Field("ht", "GeV", "sum of the jets' pt", (f"{_SUMS}_pt",), True, finite=True),
        Field("mht", "GeV", "missing HT", (f"{_SUMS}_pt",), True, finite=True),
        Field("mht_phi", "rad", "azimuth of missing HT", (f"{_SUMS}_phi",), True, finite=True),
    ),
    build=_build,
)
