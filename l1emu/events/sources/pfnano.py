"""CMS PFNano: NanoAOD with particle-flow candidates (cms-jet/PFNano), jets and their constituents.

Tables `Jet`, `FatJet`, `PFCands`, and the index tables `JetPFCands`, `FatJetPFCands`, whose `jetIdx` and `pFCandsIdx`
say which candidate belongs to which jet. NanoAOD from version 15 on calls them `PFCand`, `FatJetPFCand` with
`pfCandIdx`; both spellings are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.events.sources.containers import Columns, Container
from l1emu.events.sources.format import Built, Field, Format, checked, whole_numbers

_JET = (
    ("pt", "pt", "GeV", "transverse momentum"),
    ("eta", "eta", "", "pseudorapidity"),
    ("phi", "phi", "rad", "azimuth"),
    ("mass", "mass", "GeV", "mass"),
    ("hadron_flavour", "hadronFlavour", "", "5 b, 4 c, 0 other; simulation only"),
    ("parton_flavour", "partonFlavour", "", "PDG number of the matched parton; simulation only"),
)
_CANDIDATE = (
    ("pt", "pt", "GeV", "transverse momentum"),
    ("eta", "eta", "", "pseudorapidity"),
    ("phi", "phi", "rad", "azimuth"),
    ("mass", "mass", "GeV", "mass"),
    ("charge", "charge", "e", "charge"),
    ("pdg_id", "pdgId", "", "PDG number"),
    ("d0", "d0", "cm", "transverse impact parameter; -1 of neutrals"),
    ("dz", "dz", "cm", "longitudinal impact parameter; -1 of neutrals"),
    ("puppi_weight", "puppiWeight", "", "PUPPI weight, 0 to 1"),
)
_DIRECTION = ("pt", "eta", "phi")


def _fields(cands: str, link: str, index: str) -> tuple[Field, ...]:
    fields: list[Field] = []
    for group, table, required in (("jets", "Jet", True), ("fat_jets", "FatJet", False)):
        for name, branch, unit, meaning in _JET:
            optional = not (required and name in _DIRECTION)
            finite = name in _DIRECTION
            fields.append(
                Field(f"{group}.{name}", unit, meaning, (f"Events/{table}_{branch}",), optional, finite=finite)
            )
        links = tuple(f"Events/{table}{link}_{column}" for column in ("jetIdx", index))
        for name, branch, unit, meaning in _CANDIDATE:
            columns = (f"Events/{cands}_{branch}", *links, f"Events/{table}_pt")
            fields.append(
                Field(
                    f"{group[:-1]}_constituents.{name}",
                    unit,
                    f"{meaning}; a list a jet",
                    columns,
                    optional=True,
                    finite=name in _DIRECTION,
                )
            )
    return tuple(fields)


def _build(container: Container, columns: Columns, wanted: Sequence[Field]) -> Built:
    built: Built = {}
    grouped: dict[str, Any] = {}
    for field in wanted:
        values = checked(container, columns, field.columns[0], 2)
        if len(field.columns) > 1:
            _, jet, candidate, pt = field.columns
            if field.group not in grouped:
                jets = ak.to_numpy(ak.num(checked(container, columns, pt, 2)))
                grouped[field.group] = (
                    *_members(
                        container,
                        checked(container, columns, jet, 2),
                        checked(container, columns, candidate, 2),
                        jets,
                        ak.to_numpy(ak.num(values)),
                        (jet, candidate),
                        columns,
                    ),
                    jets,
                    int(ak.count(values)),
                )
            members, counts, jets, sizes = grouped[field.group]
            flat = ak.to_numpy(ak.flatten(values))
            if len(flat) != sizes:
                raise L1emuError("the columns of a table differ in length", path=container.path, where=field.columns[0])
            values = ak.unflatten(ak.unflatten(flat[members], counts), jets)
        built[field.name] = values
    return built


def _members(
    container: Container,
    jet: ak.Array,
    candidate: ak.Array,
    jets: NDArray[Any],
    candidates: NDArray[Any],
    names: tuple[str, str],
    columns: Columns,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The candidates, counted through the batch, of each jet in turn, and how many each has.

    Links with a negative index are those of jets or candidates that were not stored; they are left out.
    """
    links = ak.to_numpy(ak.num(jet))
    if not np.array_equal(links, ak.to_numpy(ak.num(candidate))):
        raise L1emuError("the index tables differ in length", path=container.path, where=f"{names[0]}, {names[1]}")
    row = np.repeat(np.arange(len(links)), links)
    index = []
    kept = np.ones(len(row), bool)
    for values, sizes, name in ((jet, jets, names[0]), (candidate, candidates, names[1])):
        local = whole_numbers(container, columns, name, ak.to_numpy(ak.flatten(values)))
        beyond = local >= sizes[row]
        if beyond.any():
            worst = int(np.flatnonzero(beyond)[0])
            raise L1emuError(
                "an index points beyond its table",
                path=container.path,
                where=name,
                value=int(local[worst]),
                expected=f"less than {sizes[row[worst]]}, in entry {columns.start + row[worst]}",
            )
        kept &= local >= 0
        index.append(local + (np.cumsum(sizes) - sizes)[row])
    of_jet, members = index[0][kept], index[1][kept]
    order = np.argsort(of_jet, kind="stable")
    return members[order], np.bincount(of_jet, minlength=int(jets.sum()))


_make = partial(Format, rows="crossings", containers=("ROOT",), build=_build)
FORMAT = _make(
    name="pfnano",
    title="CMS PFNano, jets with particle-flow constituents",
    markers=("Events/PFCands_pt",),
    fields=_fields("PFCands", "PFCands", "pFCandsIdx"),
)
FORMAT_V15 = _make(
    name="pfnano-v15",
    title="CMS NanoAOD 15 and later, jets with particle-flow constituents",
    markers=("Events/PFCand_pt",),
    fields=_fields("PFCand", "PFCand", "pfCandIdx"),
)
