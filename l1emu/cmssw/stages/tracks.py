"""The correlator's tracks: `TrackInputEmulator::decodeTrack`, as configured for the barrel and for the endcap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from l1emu.cmssw.stage import CmsCase, CmsStage
from l1emu.events.correlator.tracks import (
    W_D0,
    W_RINV,
    W_TANL,
    W_Z0,
    WORD_COLUMNS,
    correlator_tracks,
    pack_track_words,
    unpack_track_words,
)

_HEADER = "L1Trigger/Phase2L1ParticleFlow/interface/l1-converters/tkinput_ref.h"
_SOURCE = "L1Trigger/Phase2L1ParticleFlow/src/l1-converters/tkinput_ref.cpp"
_DATA = "DataFormats/L1TParticleFlow"
_BITS = (15, 12, 16, 12, 13)
_TANL_EDGES = (6000, 6001, 12999, 13000, 24999, 25000)
_SEED = 96


def track_case(name: str, words: NDArray[np.int32], rng: np.random.Generator) -> CmsCase:
    """A case of track words, each for both decoders; what their other bits are does not matter."""
    high, low = pack_track_words(words)
    high |= rng.integers(0, 16, len(words), dtype=np.uint64)  # chi2
    low |= rng.integers(0, 16, len(words), dtype=np.uint64) << np.uint64(32)
    low |= rng.integers(0, 1 << 16, len(words), dtype=np.uint64) << np.uint64(3)
    rows = [
        np.stack([np.full(len(words), endcap), high.view(np.int64), low.view(np.int64)], axis=1) for endcap in (0, 1)
    ]
    return CmsCase(name, np.concatenate(rows).astype(np.int64).ravel())


def random_words(n: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Track words with any bits."""
    fields = [rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), n) for bits in _BITS]
    words: NDArray[np.int32] = np.stack([*fields, rng.integers(0, 8, n)], axis=1).astype(np.int32)
    return words


def edge_words(n: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Track words half of whose fields are at an end: of the word, of a decoder, or at zero."""
    words = random_words(n, rng)
    for column, bits in enumerate(_BITS):
        top = 1 << (bits - 1)
        ends = np.array([-top, 1 - top, top - 1, -1, 0, 1, 15, 16, -16])
        if column == W_TANL:
            ends = np.concatenate([ends, _TANL_EDGES, np.negative(_TANL_EDGES)])
        at_end = rng.random(n) < 0.5
        words[at_end, column] = rng.choice(ends, int(at_end.sum()))
    return words


def _cases() -> Iterator[CmsCase]:
    rng = np.random.default_rng(_SEED)
    yield track_case("ends", edge_words(20_000, rng), rng)
    yield track_case("random words", random_words(40_000, rng), rng)
    for name, column in (("curvature", W_RINV), ("tan(lambda)", W_TANL), ("z0", W_Z0), ("d0", W_D0)):
        bits = _BITS[column]
        words = random_words(1 << bits, rng)
        words[:, column] = np.arange(1 << bits) - (1 << (bits - 1))
        yield track_case(f"every {name}", words, rng)


def _tracks(given: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each track whether it is one, and its words."""
    endcap, high, low = given.reshape(-1, 3).T
    words = unpack_track_words(high.view(np.uint64), low.view(np.uint64))
    out = np.zeros((len(words), WORD_COLUMNS + 4), np.int64)
    for decoder in (0, 1):
        chosen = endcap == decoder
        tracks, there = correlator_tracks(words[chosen], bool(decoder))
        out[chosen] = np.concatenate([there[:, None], tracks], axis=1)
    return out.ravel()


TRACKS = CmsStage(
    name="tracks",
    sources=(_SOURCE, f"{_DATA}/src/layer1_emulator.cpp"),
    headers=(_HEADER, *(f"{_DATA}/interface/{name}.h" for name in ("datatypes", "layer1_objs", "layer1_emulator"))),
    cases=_cases,
    ours=_tracks,
    functions={
        _SOURCE: {
            "l1ct::TrackInputEmulator::decodeTrack": "e6fd8cb63fcd4969",
            "l1ct::TrackInputEmulator::convPt": "fdf17fdb6efa9872",
            "l1ct::TrackInputEmulator::configPt": "3c9177de1bad1cfb",
            "l1ct::TrackInputEmulator::floatEta": "1476f0450076a813",
            "l1ct::TrackInputEmulator::convEta": "104e247c0d57aa45",
            "l1ct::TrackInputEmulator::configEta": "89707b36a2ccf6b8",
            "l1ct::TrackInputEmulator::convPhi": "7f8d65e7a1b6d71e",
            "l1ct::TrackInputEmulator::configPhi": "dfcd6523b40e91e6",
            "l1ct::TrackInputEmulator::convZ0": "8947b51328144d35",
            "l1ct::TrackInputEmulator::convDxy": "d447e5921de588d0",
            "l1ct::TrackInputEmulator::configZ0": "cbab96304423f018",
            "l1ct::TrackInputEmulator::configDxy": "b9b7d2019f103fa9",
            "l1ct::TrackInputEmulator::calcDEtaBarrel": "bb0c8e76ab5f0998",
            "l1ct::TrackInputEmulator::configDEtaBarrel": "78ca2dd63af7fdfa",
            "l1ct::TrackInputEmulator::calcDPhiBarrel": "6e51185059a9c07e",
            "l1ct::TrackInputEmulator::configDPhiBarrel": "e18aa06b96656a56",
            "l1ct::TrackInputEmulator::calcDEtaHGCal": "6b61e0323073de6d",
            "l1ct::TrackInputEmulator::configDEtaHGCal": "18bd82c12569a43a",
            "l1ct::TrackInputEmulator::calcDPhiHGCal": "534dc1cca622ce32",
            "l1ct::TrackInputEmulator::configDPhiHGCal": "44076c409763954a",
        },
        _HEADER: {
            "signedRinv": "d9483909db7dbdb4",
            "signedZ0": "f3e273a7c9862694",
            "signedDxy": "349951b488f2503a",
            "signedTanl": "c44cb2f35224edbc",
            "signedPhi": "f48a39a19a2d450e",
            "mayReachHGCal": "3f6a5f25dc058c38",
            "withinTracker": "1d1d40ca3380199f",
            "withinBarrel": "f80f2165e4755637",
            "toFloat_": "5b3a72cfdc103d8c",
        },
    },
    defines=(),
)
