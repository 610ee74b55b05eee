"""Jets of 1 TeV in the layout of JetClass: a ROOT file, and the arrays of a Particle Transformer made from it.

`python -m l1emu.training.jetclass_jets FILE --jets-per-class N --seed S` writes the file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import numpy.typing as npt
import uproot

from l1emu.errors import L1emuError
from l1emu.events.sources.jetclass import LABELS
from l1emu.files import scratch_folder, write_aside
from l1emu.resources import resource
from l1emu.taggers.maps import SHIPPED_MAPS, read_map
from l1emu.training.event_arrays import arrays_of_events
from l1emu.training.model_recipe import EventFiles
from l1emu.training.pythia_jets import impact_parameters, smeared_jets

_Arrays = dict[str, npt.NDArray[Any]]

JETCLASS_MADE = ("QCD", "Zqq", "Wqq", "Tbqq")
"""Of JetClass' ten, those of the processes that are generated."""
_LABEL_OF = ("QCD", "QCD", "Wqq", "Zqq", "Tbqq")
"""Of gluons, light quarks, W, Z and top."""
_MOST = 128
"""Particles of a jet that are kept, the leading ones."""
_NOT_MADE = ("sdmass", "tau1", "tau2", "tau3", "tau4")
_FLAGS = ("isChargedHadron", "isNeutralHadron", "isPhoton", "isElectron", "isMuon")


def write_jetclass(path: Path, *, jets_per_class: int, seed: int) -> int:
    """Write jets of `l1emu.training.pythia_jets.boosted_jets` as JetClass has them; returns how many.

    Branches of `tree`: `part_*` with up to 128 particles, leading in pT first, of the smeared momenta; impact
    parameters in mm and their uncertainties, of charged particles (those of the others are zero); `jet_*`, of which
    soft-drop mass and subjettiness are not made and NaN; `label_*`, gluons and light quarks both as QCD.

    Raises
    ------
    L1emuError
        if Pythia 8 is not installed, or the number is none.
    """
    columns: dict[str, list[Any]] = {}
    rng = np.random.default_rng(seed + 1)
    for label, number, jet in smeared_jets(jets_per_class, seed):
        row = _particles(jet, rng) | _jet(jet) | {"event": number}
        row |= {f"label_{name}": int(name == _LABEL_OF[label]) for name in LABELS}
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    lists = {name: ak.Array(values) for name, values in columns.items() if name.startswith("part_")}
    numbers = {name: np.array(values) for name, values in columns.items() if name not in lists}
    # as in the data set, labels are bool, int or float from branch to branch
    numbers["label_QCD"] = numbers["label_QCD"].astype(np.float32)
    with write_aside(path) as aside, uproot.recreate(aside) as file:
        file["tree"] = lists | {n: v.astype(np.float32) if v.dtype.kind == "f" else v for n, v in numbers.items()}
    return len(numbers["event"])


def _particles(jet: dict[str, Any], rng: np.random.Generator) -> _Arrays:
    order = np.argsort(-jet["pt"], kind="stable")[:_MOST]
    c = {name: values[order] for name, values in jet.items()}
    eta, phi = np.arcsinh(jet["pz"].sum() / _pt(jet)), np.arctan2(jet["py"].sum(), jet["px"].sum())
    charged, pdg = c["charge"] != 0, np.abs(c["id"])
    found = {"px": c["px"], "py": c["py"], "pz": c["pz"], "energy": c["e"]}
    found["deta"] = (c["eta"] - eta) * (1.0 if eta >= 0 else -1.0)
    found["dphi"] = (c["phi"] - phi + np.pi) % (2 * np.pi) - np.pi
    values, errors = impact_parameters(c, rng)
    for name, value, error in zip(("d0", "dz"), values, errors, strict=True):
        found |= {f"{name}val": np.where(charged, value, 0.0), f"{name}err": np.where(charged, error, 0.0)}
    found["charge"] = c["charge"]
    kinds = (charged & ~np.isin(pdg, (11, 13)), ~charged & (pdg != 22), pdg == 22, pdg == 11, pdg == 13)
    numbers = {f"part_{name}": values.astype(np.float32) for name, values in found.items()}
    return numbers | {f"part_{name}": kind.astype(np.int32) for name, kind in zip(_FLAGS, kinds, strict=True)}


def _jet(jet: dict[str, Any]) -> dict[str, float]:
    pt = _pt(jet)
    return {
        "jet_pt": pt,
        "jet_eta": float(np.arcsinh(jet["pz"].sum() / pt)),
        "jet_phi": float(np.arctan2(jet["py"].sum(), jet["px"].sum())),
        "jet_energy": float(jet["e"].sum()),
        "jet_nparticles": float(len(jet["pt"])),
        **{f"jet_{name}": float("nan") for name in _NOT_MADE},
    }


def _pt(jet: dict[str, Any]) -> float:
    return float(np.hypot(jet["px"].sum(), jet["py"].sum()))


def jetclass_jets(*, jets_per_class: int, seed: int) -> _Arrays:
    """Jets in JetClass' layout, read by the feature map `jetclass-part`: what a Particle Transformer sees.

    Returns
    -------
    dict
        `particles` float32 (jets, 16, 17), `pairs` (jets, 16, 16, 4) and `mask` (jets, 16, 1), see the map; `target`
        int64: 0 QCD, twice as many as of the others, 1 Zqq, 2 Wqq, 3 Tbqq; `event` int64.
    """
    _, inputs = read_map(resource(SHIPPED_MAPS) / "jetclass-part.yaml")
    assert isinstance(inputs, dict)  # a map of several inputs
    with scratch_folder("l1emu-jetclass") as scratch:
        write_jetclass(scratch / "jets.root", jets_per_class=jets_per_class, seed=seed)
        events = EventFiles(files=("jets.root",), of="jet", inputs=inputs)
        found = arrays_of_events(events, scratch, ["label"])
        with uproot.open(scratch / "jets.root") as file:
            event = file["tree"]["event"].array(library="np")
    place = np.array([JETCLASS_MADE.index(name) if name in JETCLASS_MADE else -1 for name in LABELS])
    return found | {"target": place[found.pop("label")], "event": event.astype(np.int64)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m l1emu.training.jetclass_jets", description=write_jetclass.__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--jets-per-class", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    try:
        count = write_jetclass(given.file, jets_per_class=given.jets_per_class, seed=given.seed)
    except L1emuError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{given.file}: {count} jets")
    return 0


if __name__ == "__main__":
    sys.exit(main())
