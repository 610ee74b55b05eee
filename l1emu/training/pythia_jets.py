"""Registered generators of jets, with Pythia 8 (extra: generate): flavours with tracks, and five classes at 1 TeV."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.progress import progress
from l1emu.training.substructure import high_level_features

_Arrays = dict[str, npt.NDArray[Any]]

_FLAVOURS = (
    ("HardQCD:hardbbbar=on",),
    ("HardQCD:hardccbar=on",),
    ("HardQCD:gg2gg=on", "HardQCD:qqbar2gg=on", "HardQCD:gg2qqbar=on", "HardQCD:qq2qq=on", "HardQCD:qg2qg=on",
     "HardQCD:nQuarkNew=3"),
)  # fmt: skip
_HADRONIC_W = ("24:onMode=off", "24:onIfAny=1 2 3 4 5")
_BOOSTED = (
    ("HardQCD:gg2gg=on", "HardQCD:qqbar2gg=on"),
    ("HardQCD:qq2qq=on", "HardQCD:gg2qqbar=on", "HardQCD:qqbar2qqbarNew=on"),
    ("WeakDoubleBoson:ffbar2WW=on", *_HADRONIC_W),
    ("WeakDoubleBoson:ffbar2gmZgmZ=on", "WeakZ0:gmZmode=2", "23:onMode=off", "23:onIfAny=1 2 3 4 5"),
    ("Top:gg2ttbar=on", "Top:qqbar2ttbar=on", *_HADRONIC_W),
)
_MOST_JETS = 1_000_000
_FEWEST_CONSTITUENTS = 5
KIND_CHARGED, KIND_PHOTON, _KIND_NEUTRAL = 0, 1, 2
_LARGEST_RADIUS_MM = 30.0
"""Of a track's production vertex: beyond the first layers of a tracker there is none."""


def flavour_jets(*, jets_per_class: int, seed: int, tracks: int = 15) -> _Arrays:
    """Jets of b, c, and light quarks or gluons without pile-up, with tracks and their impact parameters.

    Anti-kT jets of R = 0.4 with 30 < pT < 200 GeV and |eta| < 2.0 of 2 to 2 processes at 14 TeV, without multiple
    interactions; those within 0.3 of one of the two outgoing partons, of the flavour of the process. Tracks are charged
    particles above 0.5 GeV that begin within 30 mm of the beam line. They are smeared: transverse momentum by 1 %,
    transverse and longitudinal impact parameter by 15 and 30 um beside 75 and 90 um GeV / pT.

    Returns
    -------
    dict
        `tracks` float32 (jets, tracks, 6), leading in pT first, zero where there is none: ln of the fraction of the
        jet's pT, ln(pT / GeV) - 1, eta and phi from the jet's axis times 8, and the asinh of the significances of the
        impact parameters, the transverse one with the sign of the lifetime; `target` int64: 0 b, 1 c, 2 light; `event`
        int64.
    """
    _check_count("jets_per_class", jets_per_class)
    rng = np.random.default_rng(seed)
    rows, target, event = [], [], []
    for label, process in enumerate(_FLAVOURS):
        settings = ("PhaseSpace:pTHatMin=40", "PhaseSpace:pTHatMax=160", "Beams:eCM=14000", *process)
        count = 0
        for number, jet in _jets(settings, seed + label, (0.4, 30.0, 200.0, 2.0), jets_per_class, label):
            if (found := _flavoured_tracks(jet, rng, tracks, label)) is None:
                continue
            rows.append(found)
            target.append(label)
            event.append(label * 10_000_000 + number)
            count += 1
            if count == jets_per_class:
                break
    return {"tracks": np.stack(rows), "target": np.array(target), "event": np.array(event)}


def boosted_jets(*, jets_per_class: int, seed: int, particles: int = 30) -> _Arrays:
    """Jets of 1 TeV of gluons, light quarks, W, Z and top, in the layout of the hls4ml LHC jets.

    Anti-kT jets of R = 0.8 with 800 < pT < 1200 GeV and |eta| < 2.0 at 13 TeV, without multiple interactions. Charged
    particles are smeared by 1 % in momentum, photons and neutral hadrons by 10 and 80 % / sqrt(E / GeV) in energy and
    by 0.01 and 0.03 in eta and phi.

    Returns
    -------
    dict
        `features` float32 (jets, 16): `l1emu.training.substructure.high_level_features`; `constituents` float32
        (jets, particles + 1, 9): first the mark of a class token (1 in the last feature alone), then the leading
        constituents by pT: ln(pT / GeV) - 4, ln(E / GeV) - 4, eta and phi from the jet's axis times 4, the distance
        from it times 4, and three marks of charged particle, photon, neutral hadron; `target` int64: 0 g, 1 q, 2 W,
        3 Z, 4 t; `event` int64.
    """
    features, constituents, target, event = [], [], [], []
    for label, number, jet in boosted_constituents(jets_per_class, seed):
        features.append(high_level_features(jet))
        constituents.append(_constituent_rows(jet, particles))
        target.append(label)
        event.append(number)
    return {
        "features": np.stack(features).astype(np.float32),
        "constituents": np.stack(constituents).astype(np.float32),
        "target": np.array(target),
        "event": np.array(event),
    }


def boosted_constituents(jets_per_class: int, seed: int) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """The jets of `boosted_jets`: class, event, and smeared constituents, leading first, from the jet's axis.

    Yields
    ------
    int, int, dict
        0 g, 1 q, 2 W, 3 Z, 4 t; a number that jets of one event share; `pt` and `e` in GeV, `eta` and `phi` from the
        axis, `kind` (KIND_CHARGED, KIND_PHOTON or neutral), each (constituents,), and `jet_pt`.
    """
    for label, number, smeared in smeared_jets(jets_per_class, seed):
        yield label, number, _relative(smeared, _axis(smeared))


def smeared_jets(jets_per_class: int, seed: int) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """The jets of `boosted_jets`: class, event, and smeared constituents as they lie in the detector.

    Yields
    ------
    int, int, dict
        0 g, 1 q, 2 W, 3 Z, 4 t; a number that jets of one event share; `px`, `py`, `pz`, `e`, `pt` in GeV, `eta` and
        `phi`, `kind` (KIND_CHARGED, KIND_PHOTON or neutral), `charge` and `id` of the PDG, and where a constituent was
        produced, `x`, `y`, `z` in mm, each (constituents,).
    """
    _check_count("jets_per_class", jets_per_class)
    rng = np.random.default_rng(seed)
    for label, process in enumerate(_BOOSTED):
        settings = ("PhaseSpace:pTHatMin=850", "PhaseSpace:pTHatMax=1250", "Beams:eCM=13000", *process)
        count = 0
        for number, jet in _jets(settings, seed + label, (0.8, 750.0, 1300.0, 2.0), jets_per_class, label):
            smeared = _smeared(jet, rng)
            axis = _axis(smeared)
            if not 800 < np.hypot(axis[0], axis[1]) < 1200 or len(smeared["px"]) < _FEWEST_CONSTITUENTS:
                continue
            yield label, label * 10_000_000 + number, smeared
            count += 1
            if count == jets_per_class:
                break


def _axis(c: dict[str, Any]) -> npt.NDArray[np.float64]:
    return np.array([c["px"].sum(), c["py"].sum(), c["pz"].sum()])


def impact_parameters(
    c: dict[str, Any], rng: np.random.Generator
) -> tuple[tuple[npt.NDArray[np.float64], ...], tuple[npt.NDArray[np.float64], ...]]:
    """Smeared impact parameters of particles, transverse and longitudinal, and their uncertainties, in mm.

    The closest approach of a straight line from where a particle was produced to the beam line; `c` has `px`, `py`,
    `pz` in GeV and `x`, `y`, `z` in mm.
    """
    pt, phi = np.hypot(c["px"], c["py"]), np.arctan2(c["py"], c["px"])
    transverse = -c["x"] * np.sin(phi) + c["y"] * np.cos(phi)
    along = c["z"] - (c["x"] * np.cos(phi) + c["y"] * np.sin(phi)) * c["pz"] / pt
    sigma_t, sigma_z = np.hypot(0.015, 0.075 / pt), np.hypot(0.030, 0.090 / pt)
    return (transverse + rng.normal(0, sigma_t), along + rng.normal(0, sigma_z)), (sigma_t, sigma_z)


def _check_count(name: str, value: int) -> None:
    if find_spec("pythia8mc") is None:
        raise L1emuError("jets need Pythia 8, which is not installed", expected="`pip install 'l1emu[generate]'`")
    if not isinstance(value, int) or not 1 <= value <= _MOST_JETS:
        raise L1emuError(
            "wrong size", where=f"data.options.{name}", value=value, expected=f"an integer, 1 to {_MOST_JETS:,}"
        )


def _jets(
    settings: tuple[str, ...], seed: int, selection: tuple[float, float, float, float], wanted: int, label: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Jets of one process without end: the number of the event, and the jet's constituents as arrays.

    Parameters
    ----------
    selection
        Radius, lowest and highest transverse momentum in GeV, largest |eta|.
    """
    import pythia8mc

    pythia = pythia8mc.Pythia("", False)
    common = ("Print:quiet=on", "PartonLevel:MPI=off", "Random:setSeed=on", f"Random:seed={seed % 900_000_000 + 1}")
    for line in (*common, *settings):
        pythia.readString(line)
    if not pythia.init():
        raise L1emuError("Pythia does not start", value="; ".join(settings))
    radius, lowest, highest, largest_eta = selection
    cluster = pythia8mc.SlowJet(-1, radius, lowest, largest_eta + radius, 2, 1)
    number = 0
    with progress(f"jets of class {label}: jets", wanted) as advance:
        while True:
            number += 1
            if not pythia.next():
                continue
            cluster.analyze(pythia.event)
            for k in range(min(2, cluster.sizeJet())):
                if lowest < cluster.pT(k) < highest and abs(cluster.p(k).eta()) < largest_eta:
                    advance(1)
                    yield number, _jet_arrays(pythia.event, cluster, k)


def _jet_arrays(event: Any, cluster: Any, k: int) -> dict[str, Any]:
    """Constituents (GeV, mm) of a jet, and the two outgoing partons of the hard process: eta, phi and flavour."""
    rows = []
    for i in cluster.constituents(k):
        p = event[i]
        kind = KIND_CHARGED if p.isCharged() else KIND_PHOTON if p.id() == 22 else _KIND_NEUTRAL
        rows.append((p.px(), p.py(), p.pz(), p.e(), p.xProd(), p.yProd(), p.zProd(), kind, p.charge(), p.id()))
    columns = np.array(rows).T
    names = ("px", "py", "pz", "e", "x", "y", "z", "kind", "charge", "id")
    partons = [(event[i].eta(), event[i].phi(), abs(event[i].id())) for i in (5, 6)]
    axis = cluster.p(k)
    return dict(zip(names, columns, strict=True)) | {
        "partons": partons, "eta": axis.eta(), "phi": axis.phi(), "pt": cluster.pT(k)
    }  # fmt: skip


def _flavoured_tracks(
    jet: dict[str, Any], rng: np.random.Generator, tracks: int, label: int
) -> npt.NDArray[np.float32] | None:
    """The rows of a jet's tracks; None if it is no parton's of its process, or has none."""
    near = [f for eta, phi, f in jet["partons"] if np.hypot(eta - jet["eta"], _turn(phi - jet["phi"])) < 0.3]
    flavour = (5, 4)[label] if label < 2 else None
    if not near or (flavour is not None and near[0] != flavour) or (flavour is None and near[0] in (4, 5)):
        return None
    pt = np.hypot(jet["px"], jet["py"])
    on = (jet["kind"] == KIND_CHARGED) & (pt > 0.5) & (np.hypot(jet["x"], jet["y"]) < _LARGEST_RADIUS_MM)
    if not on.any():
        return None
    c = {name: jet[name][on] for name in ("px", "py", "pz", "x", "y", "z")}
    (transverse, along), (sigma_t, sigma_z) = impact_parameters(c, rng)
    pt, phi = pt[on], np.arctan2(c["py"], c["px"])
    eta = np.arcsinh(c["pz"] / pt)
    pt = pt * rng.normal(1, 0.01, len(pt))
    signed = np.abs(transverse) * np.sign(transverse * np.sin(_turn(jet["phi"] - phi)))
    rows = np.stack(
        [np.log(pt / jet["pt"]), np.log(pt) - 1, 8 * (eta - jet["eta"]), 8 * _turn(phi - jet["phi"]),
         np.arcsinh(signed / sigma_t), np.arcsinh(along / sigma_z)], axis=1
    )  # fmt: skip
    chosen = rows[np.argsort(-pt, kind="stable")][:tracks]
    found = np.zeros((tracks, rows.shape[1]), np.float32)
    found[: len(chosen)] = chosen
    return found


def _smeared(jet: dict[str, Any], rng: np.random.Generator) -> dict[str, npt.NDArray[np.float64]]:
    kind, e = jet["kind"].astype(int), jet["e"]
    relative = np.choose(kind, [np.full(len(e), 0.01), 0.10 / np.sqrt(e), 0.80 / np.sqrt(e)])
    scale = np.maximum(rng.normal(1, relative), 0.05)
    pt = np.hypot(jet["px"], jet["py"]) * scale
    turned = np.choose(kind, [0.0, 0.01, 0.03]) * rng.normal(size=(2, len(e)))
    eta = np.arcsinh(jet["pz"] / np.maximum(np.hypot(jet["px"], jet["py"]), 1e-9)) + turned[0]
    phi = np.arctan2(jet["py"], jet["px"]) + turned[1]
    momenta = {"px": pt * np.cos(phi), "py": pt * np.sin(phi), "pz": pt * np.sinh(eta)}
    mass2 = np.maximum(e**2 - jet["px"] ** 2 - jet["py"] ** 2 - jet["pz"] ** 2, 0)
    energy = np.sqrt(mass2 + momenta["px"] ** 2 + momenta["py"] ** 2 + momenta["pz"] ** 2)
    kept = {name: jet[name] for name in ("x", "y", "z", "charge", "id")}
    return momenta | {"e": energy, "pt": pt, "eta": eta, "phi": phi, "kind": kind} | kept


def _relative(c: dict[str, npt.NDArray[np.float64]], axis: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Leading first, eta and phi from the jet's axis."""
    order = np.argsort(-c["pt"], kind="stable")
    sorted_by_pt = {name: values[order] for name, values in c.items()}
    pt = float(np.hypot(axis[0], axis[1]))
    eta, phi = np.arcsinh(axis[2] / pt), np.arctan2(axis[1], axis[0])
    return sorted_by_pt | {
        "eta": sorted_by_pt["eta"] - eta, "phi": _turn(sorted_by_pt["phi"] - phi), "jet_pt": pt
    }  # fmt: skip


def _constituent_rows(c: dict[str, Any], particles: int) -> npt.NDArray[np.float64]:
    n = min(particles, len(c["pt"]))
    rows = np.zeros((particles + 1, 9))
    rows[0, 8] = 1.0
    kind = c["kind"][:n]
    rows[1 : n + 1, :8] = np.stack(
        [np.log(c["pt"][:n]) - 4, np.log(c["e"][:n]) - 4, 4 * c["eta"][:n], 4 * c["phi"][:n],
         4 * np.hypot(c["eta"][:n], c["phi"][:n]),
         kind == KIND_CHARGED, kind == KIND_PHOTON, kind == _KIND_NEUTRAL], axis=1
    )  # fmt: skip
    return rows


def _turn(angle: Any) -> Any:
    """Into -pi to pi."""
    return (angle + np.pi) % (2 * np.pi) - np.pi
