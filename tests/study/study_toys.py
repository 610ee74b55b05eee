"""A small study from nothing: toy jets, a tagger that looks at impact parameters, and its golden vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import yaml

from l1emu.events.classes import CLASSES
from l1emu.events.features import CONSTITUENTS, FEATURES
from l1emu.events.hardware import CROSSING_WEIGHT_ONE
from l1emu.events.packing import Skim
from l1emu.events.sample import Batch, Stratum, Thinned, write_sample
from l1emu.firmware import Firmware
from l1emu.firmware.reference import run
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Dense, Tensor

STRATA = (("soft", 0.7, 150), ("middle", 0.28, 250), ("hard", 0.02, 200))
JETS = len(CLASSES)


def toy_firmware() -> Firmware:
    """One dense layer: the b score grows with the impact parameters of the constituents, up to almost 1."""
    size = CONSTITUENTS * len(FEATURES)
    weight = np.zeros((size, JETS), np.int64)
    weight[FEATURES.index("dxy") :: len(FEATURES), 0] = 96
    weight[FEATURES.index("puppi_weight") :: len(FEATURES), 4] = 16
    fx = FixedPoint.parse
    x = Tensor("x", (CONSTITUENTS, len(FEATURES)), fx("ap_fixed<10,4>"))
    y = Tensor("y", (JETS,), fx("ap_ufixed<12,0,AP_TRN,AP_SAT>"))
    dense = Dense(
        name="scores", inputs=(x,), output=y, positions=1, n_in=size, n_out=JETS, weight=weight,
        weight_type=fx("ap_fixed<12,4>"), bias=np.zeros(JETS, np.int64), bias_type=fx("ap_fixed<12,4>"),
        accum_type=fx("ap_fixed<32,16>"), order=np.arange(size),
    )  # fmt: skip
    return Firmware("toy_tagger", "Vitis", (x,), (y,), (dense,))


def toy_candidates(rng: np.random.Generator, crossings: int, mean_pt: float, b_fraction: float) -> tuple[Any, Any]:
    """Five to eight jets a crossing of three candidates each, and the generator jets of all of them."""
    candidates, truth = [], []
    for _ in range(crossings):
        these, jets = [], []
        for jet in range(int(rng.integers(5, 9))):
            pt, is_b = 15 + rng.exponential(mean_pt), bool(rng.random() < b_fraction)
            eta, phi = int(rng.integers(-460, 460)), int(-720 + 180 * jet)
            dxy = 40 if is_b and rng.random() < 0.8 else int(rng.integers(0, 4))
            for share in (0.5, 0.3, 0.2):
                these.append((int(pt * share * 4) + 1, eta, phi, 0, 0, dxy, 256, 1, 0, 7))
            jets.append((int(pt * 4), eta, phi, 0 if is_b else int(rng.integers(2, 4))))
        candidates.append(sorted(these, reverse=True))
        truth.append(jets)
    names = ("pt", "eta", "phi", "id", "z0", "dxy", "weight", "charge", "emid", "quality")
    return _records(candidates, names), _records(truth, ("pt", "eta", "phi", "flavour"))


def _records(rows: Sequence[Sequence[tuple[int, ...]]], names: tuple[str, ...]) -> ak.Array:
    counts = [len(row) for row in rows]
    flat = np.array([value for row in rows for value in row])
    return ak.unflatten(ak.zip({name: flat[:, i] for i, name in enumerate(names)}), counts)


def thinned(batch: Batch, slices: int, rng: np.random.Generator, *, keep_all: bool) -> Batch:
    """Crossings in slices, of which those with little pt are left out with a known probability."""
    n = len(batch.stratum)
    total = ak.to_numpy(ak.sum(batch.candidates.pt, axis=1)) / 4
    weight = np.rint(CROSSING_WEIGHT_ONE * np.clip(500 / total, 1, 4)).astype(np.int64)
    kept = rng.random(n) * weight < CROSSING_WEIGHT_ONE
    if keep_all:
        weight, kept = np.full(n, CROSSING_WEIGHT_ONE), np.ones(n, np.bool_)
    assert batch.truth is not None
    place, slice_of = np.arange(n, dtype=np.uint64), (np.arange(n) % slices).astype(np.int8)
    return Batch(
        batch.candidates[kept], batch.stratum[kept], batch.hard_event[kept], batch.truth[kept], place[kept],
        weight=weight[kept], slices=slice_of[kept],
    )  # fmt: skip


def write_toy_sample(
    path: Path, *, signal: bool, scale: int = 1, slices: int = 0, excess: int = 0, skim: Skim | None = None
) -> None:
    """Three strata of min-bias, or a signal with more and harder b jets.

    With slices crossings of the background have weights, and so many are said to have been drawn in `excess`.
    """
    rng = np.random.default_rng(1 if signal else 2)
    batches, strata = [], []
    if signal:
        candidates, truth = toy_candidates(rng, 200 * scale, 40, 0.6)
        n = len(candidates)
        batches.append(Batch(candidates, np.zeros(n, np.int64), np.arange(n), truth))
    else:
        for j, (name, probability, crossings) in enumerate(STRATA):
            candidates, truth = toy_candidates(rng, crossings * scale, (3, 7, 25)[j], 0.05)
            n = len(candidates)
            hard = np.full(n, -1) if j == 0 else rng.integers(0, n // 2, n)
            batches.append(Batch(candidates, np.full(n, j), hard, truth))
            strata.append(Stratum(name, probability, n))
    if slices:
        batches = [thinned(batch, slices, rng, keep_all=signal) for batch in batches]
        strata = [
            replace(s, crossings=len(b.stratum), thinned=Thinned(s.crossings + excess, int(b.weight.sum())))
            for s, b in zip(strata, batches, strict=False)
        ]
    write_sample(
        path, batches, name=path.stem, kind="signal" if signal else "minbias", pileup=200.0,
        strata=None if signal else strata, recipe={"seed": 3, "toy": True}, pool_sizes={"soft": 100}, versions={},
        slices=slices, packed=skim is not None, skim=skim,
    )  # fmt: skip


def write_golden(path: Path, firmware: Firmware, jets: int = 300) -> None:
    """Golden vectors from the integer reference, which shares no code with the kernels of the emulator."""
    inputs = np.random.default_rng(5).integers(-512, 512, (jets, CONSTITUENTS, len(FEATURES)))
    found = run(firmware, inputs)
    names = [layer.name for layer in firmware.layers]
    digests = [hashlib.sha256(found[name].astype("<i8").tobytes()).hexdigest() for name in names]
    np.savez(
        path, inputs=inputs.astype(np.int16), outputs=found["y"], layer=np.array(names), digest=np.array(digests),
        label=np.full(jets, -1, np.int8), firmware=np.array(firmware.content_hash),
    )  # fmt: skip


def toy_study() -> dict[str, Any]:
    """The study as plain data; files stand beside it, budget and topology come with l1emu."""
    jets = {"count": 4, "pt_min_gev": "threshold", "abs_eta_max": 2.4}
    scan = {"start": 15, "stop": 120, "step": 1}
    return {
        "name": "toy",
        "samples": {"minbias": "minbias.root", "signal": "signal.root", "step": 100},
        "tagger": {"firmware": "tagger.l1fw", "golden": "golden.npz"},
        "rate": {"target_khz": 100, "replicas": 60, "random_seed": 4},
        "seeds": [
            {
                "name": "HT",
                "ht": {"min_gev": "threshold", "jet_pt_min_gev": 20, "abs_eta_max": 2.4},
                "scan": {"start": 50, "stop": 900, "step": 10},
            },
            {"name": "four jets", "jets": jets, "scan": scan},
            {
                "name": "two b",
                "jets": jets | {"tags": [{"score": "tag_b", "minimum": 0.5, "count": 2}]},
                "scan": scan,
            },
        ],
        "working_points": {"seed": "two b", "minima": [0.3, 0.7]},
        "latency": {
            "budget": "budgets/cms-phase2.yaml",
            "stated": {
                "tagger": "toy",
                "latency_cycles": 260,
                "interval_cycles": 8,
                "clock_mhz": 360.0,
                "origin": "a number for tests",
            },
        },
        "stream": {"topology": "budgets/cms-phase2.topology.yaml", "accepts": "two b", "orbits": 1},
    }


def write_toy_study(folder: Path, scale: int = 1, slices: int = 0) -> Path:
    """All of a study's files in a folder; returns the study's path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_toy_sample(folder / "minbias.root", signal=False, scale=scale, slices=slices)
    write_toy_sample(folder / "signal.root", signal=True, scale=scale, slices=slices)
    firmware = toy_firmware()
    firmware.save(folder / "tagger.l1fw")
    write_golden(folder / "golden.npz", firmware)
    study = folder / "study.yaml"
    study.write_text(yaml.safe_dump(toy_study(), sort_keys=False, allow_unicode=True))
    return study
