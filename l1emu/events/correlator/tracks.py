"""Track words of the track finder, and the tracks that the correlator makes of them: `TrackInputEmulator`.

The track finder sends 96 bits a track (cms-sw/cmssw, `DataFormats/L1TrackTrigger/interface/TTTrack_TrackWord.h`).
`track_words` makes their fields of real numbers, `pack_track_words` the 96 bits. The correlator turns curvature,
tan(lambda), phi, z0 and d0 into its own steps by tables and multiplications, and leads the track to the calorimeter
(`L1Trigger/Phase2L1ParticleFlow/src/l1-converters/tkinput_ref.cpp`); the settings are those of `l1tLayer1Barrel` and
`l1tLayer1HGCal` (`L1Trigger/Phase2L1ParticleFlow/python/l1ctLayer1_cff.py`). The decoders of barrel and endcap
differ, and the tracks of tan(lambda) between 1.46 and 3.17 are for both.

A sector is a ninth of phi and one side of eta, so that its centres are whole steps: 160 in phi, 286 in eta.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import in_place, kernel
from l1emu.events.correlator.words import (
    TK_CHARGE,
    TK_COLUMNS,
    TK_DETA,
    TK_DPHI,
    TK_DXY,
    TK_ETA,
    TK_PHI,
    TK_PT,
    TK_QUALITY,
    TK_Z0,
)
from l1emu.events.hardware import ETA_PHI_STEP, PT_MAX
from l1emu.events.wordmath import signed_word

# Steps of the track word; those of tan(lambda) and d0 are powers of two.
RINV_STEP = 0.012 / (1 << 15)  # 1 / cm
TRACK_PHI_STEP = 2 * 0.7853981696 / (1 << 12)  # rad, relative to the centre of the sector
TANL_STEP = 1 / (1 << 12)
TRACK_Z0_STEP_CM = 2 * 20.46912512 / (1 << 12)
TRACK_D0_STEP_CM = 1 / (1 << 8)
RINV_BITS, TRACK_PHI_BITS, TANL_BITS, TRACK_Z0_BITS, TRACK_D0_BITS = 15, 12, 16, 12, 13

GEV_STEPS = 31199.5
"""pt in GeV times curvature in steps, of a track in 3.8 T."""

PHI_SECTORS = 9
SECTOR_PHI = 160
SECTOR_ETA = 286

LOOSE, TIGHT = 1, 2
"""Bits of the quality: a track without the first is none."""

(W_RINV, W_PHI, W_TANL, W_Z0, W_D0, W_QUALITY) = range(6)
WORD_COLUMNS = 6

# Of each of these fields its bits and the lowest of them among the 96. The others are of fits and hits.
_PLACES = ((RINV_BITS, 80), (TRACK_PHI_BITS, 68), (TANL_BITS, 48), (TRACK_Z0_BITS, 36), (TRACK_D0_BITS, 19), (3, 0))
_VALID_BIT = 95

_WITHIN_BARREL, _REACHES_ENDCAP, _WITHIN_TRACKER = 13000, 6000, 25000  # steps of tan(lambda), all exclusive
_BARREL_TANL_SHIFT, _ENDCAP_TANL_SHIFT = 5, 4  # 1024 and 2048 entries for 15 bits
_ENDCAP_ETA_OFFSET = 150  # added back to the entries of the endcap's table


def _away(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rounded to whole numbers, halves away from zero as C's `round` does it."""
    rounded: NDArray[np.int64] = (np.sign(values) * np.floor(np.abs(values) + 0.5)).astype(np.int64)
    return rounded


def _pt_table() -> NDArray[np.int32]:
    """pt in 0.25 GeV for the 11 upper of the 14 bits of a curvature, of the middle of each bin; saturating."""
    curvature = (np.arange(1 << 11) * 8 + 4 + 0.5).astype(np.float32)
    pt = np.float32(GEV_STEPS) / curvature
    return np.minimum(_away(pt.astype(np.float64) * 4), PT_MAX).astype(np.int32)


def _eta_of(tanl: NDArray[np.int64]) -> NDArray[np.int64]:
    """eta in steps of tan(lambda) in steps, of the middle of a step."""
    return _away(np.arcsinh((tanl + 0.5) * TANL_STEP) / ETA_PHI_STEP)


def _eta_tables() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """eta relative to the centre of the sector for the upper bits of |tan(lambda)|; 0 beyond barrel or endcap."""
    barrel = np.arange(1 << 10) << _BARREL_TANL_SHIFT
    endcap = np.arange(1 << 11) << _ENDCAP_TANL_SHIFT
    in_barrel, in_endcap = barrel < _WITHIN_BARREL, (endcap > _REACHES_ENDCAP) & (endcap < _WITHIN_TRACKER)
    of_barrel = np.where(in_barrel, _eta_of(barrel) - SECTOR_ETA, 0)
    of_endcap = np.where(in_endcap, _eta_of(endcap) - SECTOR_ETA - _ENDCAP_ETA_OFFSET, 0)
    return of_barrel.astype(np.int32), of_endcap.astype(np.int32)


def _root_table() -> NDArray[np.int32]:
    """The root of |d0| in 1/64 of a root of cm, of the middle between the ends of two steps: 8 bits, which wrap."""
    ends = np.sqrt((np.arange((1 << 11) + 1) * 2 * TRACK_D0_STEP_CM).astype(np.float32))
    middle = (ends[:-1] + ends[1:]) / np.float32(2)
    return (_away(middle.astype(np.float64) * 64) & 0xFF).astype(np.int32)


def _bending_in_eta() -> NDArray[np.int32]:
    """Of the endcap: what curvature squared does to eta, for the 10 upper of the 16 bits of tan(lambda)."""
    upper = np.arange(1 << 10)
    tanl = np.where(upper < 512, upper, upper - 1024) * 64.0 + 32
    inverse = 32 * 1024 / np.abs(tanl)
    term = np.sign(tanl) * (0.66 - 0.72 * inverse - 0.38 * inverse**2)
    return np.where(np.abs(np.trunc(tanl)) > _REACHES_ENDCAP, _away(256 * term), 0).astype(np.int32)


def _inverse_tanl() -> NDArray[np.int32]:
    """Of the endcap: 2^22 / |tan(lambda)| for the 10 upper of 15 bits."""
    tanl = np.arange(1 << 10) * 32.0 + 16
    return np.where(tanl > _REACHES_ENDCAP, _away((1 << 22) / tanl), 0).astype(np.int32)


PT_OF_RINV = _pt_table()
ETA_OF_TANL_BARREL, ETA_OF_TANL_ENDCAP = _eta_tables()
ROOT_OF_D0 = _root_table()
BENDING_IN_ETA = _bending_in_eta()
INVERSE_TANL = _inverse_tanl()


class TrackNumbers(NamedTuple):
    """Tracks in real numbers at the point nearest to the beam: float64, (n,).

    `rinv` is the signed curvature in 1/cm, whose sign is the charge's; `phi` [rad] of the whole circle; `tanl`
    tan(lambda), which is sinh(eta); `z0` and `d0` [cm].
    """

    rinv: NDArray[np.float64]
    phi: NDArray[np.float64]
    tanl: NDArray[np.float64]
    z0: NDArray[np.float64]
    d0: NDArray[np.float64]


@kernel
def curvature(pt_gev: float, charge: int) -> float:
    """The signed curvature in 1/cm of a track in 3.8 T."""
    return charge * GEV_STEPS * RINV_STEP / pt_gev


@kernel
def phi_sector(phi: float) -> int:
    """The sector of phi, 0 to 8, in whose ninth a track begins: that of 0 is centred at phi = 0."""
    return math.floor(phi * PHI_SECTORS / (2 * math.pi) + 0.5) % PHI_SECTORS


@kernel
def digitized(value: float, step: float, bits: int) -> int:
    """A real number as a signed word of `bits` bits: rounded down, saturating."""
    top = (1 << (bits - 1)) - 1
    return int(min(max(math.floor(value / step), -top - 1), top))


@in_place
def fill_track_word(
    rinv: float, phi: float, tanl: float, z0: float, d0: float, quality: int, out: NDArray[np.int32]
) -> int:
    """Write the fields of a track word, `W_RINV` to `W_QUALITY`, into `out`; returns the sector of phi.

    The numbers are those of `TrackNumbers`; `quality` is of `LOOSE` and `TIGHT`.
    """
    sector = phi_sector(phi)
    local = phi - sector * (2 * math.pi / PHI_SECTORS)
    local -= 2 * math.pi * math.floor(local / (2 * math.pi) + 0.5)
    out[W_RINV] = digitized(rinv, RINV_STEP, RINV_BITS)
    out[W_PHI] = digitized(local, TRACK_PHI_STEP, TRACK_PHI_BITS)
    out[W_TANL] = digitized(tanl, TANL_STEP, TANL_BITS)
    out[W_Z0] = digitized(z0, TRACK_Z0_STEP_CM, TRACK_Z0_BITS)
    out[W_D0] = digitized(d0, TRACK_D0_STEP_CM, TRACK_D0_BITS)
    out[W_QUALITY] = quality
    return sector


@kernel
def _fill(tracks: TrackNumbers, quality: int, out: NDArray[np.int32], sectors: NDArray[np.int64]) -> None:
    for i in range(len(out)):
        sectors[i] = fill_track_word(
            tracks.rinv[i], tracks.phi[i], tracks.tanl[i], tracks.z0[i], tracks.d0[i], quality, out[i]
        )


def track_words(tracks: TrackNumbers, quality: int = LOOSE | TIGHT) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The fields of the track words, int32 (n, 6) by `W_RINV` to `W_QUALITY`, and the sector of phi of each, (n,)."""
    numbers = TrackNumbers(*(np.ascontiguousarray(column, np.float64) for column in tracks))
    out = np.zeros((len(numbers.rinv), WORD_COLUMNS), np.int32)
    sectors = np.zeros(len(out), np.int64)
    _fill(numbers, quality, out, sectors)
    return out, sectors


def pack_track_words(words: NDArray[np.int32]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The 96 bits of valid track words with these fields: the upper 32 and the lower 64, both uint64 (n,)."""
    high = np.full(len(words), 1 << (_VALID_BIT - 64), np.uint64)
    low = np.zeros(len(words), np.uint64)
    for (bits, lowest), values in zip(_PLACES, words.T, strict=True):
        word = values.astype(np.int64).astype(np.uint64) & np.uint64((1 << bits) - 1)
        if lowest >= 64:
            high |= word << np.uint64(lowest - 64)
        else:
            low |= word << np.uint64(lowest)
    return high, low


def unpack_track_words(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.int32]:
    """The fields of track words, int32 (n, 6), of their upper 32 and lower 64 bits; see `pack_track_words`."""
    columns = []
    for bits, lowest in _PLACES:
        word = high >> np.uint64(lowest - 64) if lowest >= 64 else low >> np.uint64(lowest)
        value = (word & np.uint64((1 << bits) - 1)).astype(np.int64)
        signed = lowest > 0  # all but the quality
        columns.append(np.where(signed & (value >= 1 << (bits - 1)), value - (1 << bits), value))
    fields: NDArray[np.int32] = np.stack(columns, axis=1).astype(np.int32)
    return fields


@kernel
def root_of_d0(d0: int) -> int:
    """The correlator's dxy: the root of |d0| in 1/64 of a root of cm, of d0 in steps of the track word; 8 bits.

    From 15.94 cm on it is 0, as the word wraps.
    """
    root: int = ROOT_OF_D0[min(abs(d0), (1 << 12) - 1) >> 1]
    return root


@kernel
def _eta_at_vertex(tanl: int, endcap: bool) -> int:
    size = abs(tanl)
    if endcap:
        eta: int = ETA_OF_TANL_ENDCAP[min(size >> _ENDCAP_TANL_SHIFT, (1 << 11) - 1)] + _ENDCAP_ETA_OFFSET
    else:
        eta = ETA_OF_TANL_BARREL[min(size >> _BARREL_TANL_SHIFT, (1 << 10) - 1)]
    return -eta if tanl < 0 else eta


@kernel
def _d_eta_barrel(z0: int, tanl: int) -> int:
    """eta at the vertex minus eta at the calorimeter, 1.29 m from the beam."""
    shift = ((((abs(z0) >> 2) * 1300) >> 2) + 128) >> 8
    at_calorimeter = signed_word(tanl + (shift if z0 > 0 else -shift), 16)
    return signed_word(_eta_at_vertex(tanl, False) - _eta_at_vertex(at_calorimeter, False), 6)


@kernel
def _d_eta_endcap(z0: int, rinv: int, tanl: int) -> int:
    bend = rinv >> 6
    bend = (bend * bend * BENDING_IN_ETA[(tanl & 0xFFFF) >> 6] + (1 << 13)) >> 14
    return signed_word((-27 * (z0 >> 2) + bend + 512) >> 10, 6)


@kernel
def _d_phi_endcap(z0: int, size: int, tanl: int) -> int:
    length = ((z0 >> 4) * -28) >> 6
    length = 905 + (length if tanl >= 0 else -length)
    turned: int = (length * (size >> 4) * INVERSE_TANL[(abs(tanl) & 0x7FFF) >> 5] + (1 << 21)) >> 22
    return turned & 0x7F


@in_place
def decode_track(word: NDArray[np.int32], endcap: bool, out: NDArray[np.int32]) -> bool:
    """Make the correlator's track of a valid track word, by the decoder of the barrel or of the endcap.

    Parameters
    ----------
    word
        Its fields, `W_RINV` to `W_QUALITY`.
    endcap
        Which of the two.
    out
        Takes `TK_PT` to `TK_QUALITY`: eta and phi at the calorimeter, relative to the centre of the sector, and all 0
        of a track that is none of the decoder's.

    Returns
    -------
    bool
        Whether it is a track: where the decoder works, and with a quality.
    """
    rinv, tanl, z0, quality = word[W_RINV], word[W_TANL], word[W_Z0], word[W_QUALITY]
    out[:TK_COLUMNS] = 0
    if endcap:
        within = _REACHES_ENDCAP < abs(tanl) < _WITHIN_TRACKER
    else:
        within = abs(tanl) < _WITHIN_BARREL
    if not within:
        return False
    size = abs(rinv) & 0x3FFF  # 14 bits: the largest negative curvature is none
    positive = rinv >= 0
    d_phi = _d_phi_endcap(z0, size, tanl) if endcap else (((size >> 4) * 23 >> 4) + 8) >> 4
    d_eta = _d_eta_endcap(z0, rinv, tanl) if endcap else _d_eta_barrel(z0, tanl)
    out[TK_PT] = PT_OF_RINV[size >> 3]
    out[TK_ETA] = signed_word(_eta_at_vertex(tanl, endcap) - d_eta, 10)
    out[TK_PHI] = signed_word(((word[W_PHI] * 90 + 557) >> 10) - (d_phi if positive else -d_phi), 10)
    out[TK_DETA] = d_eta
    out[TK_DPHI] = d_phi
    out[TK_CHARGE] = positive
    out[TK_Z0] = (z0 * 819 + 2457) >> 12
    out[TK_DXY] = root_of_d0(word[W_D0])
    out[TK_QUALITY] = quality
    return bool(quality != 0)


@kernel
def _decode(words: NDArray[np.int32], endcap: bool, out: NDArray[np.int32], there: NDArray[np.bool_]) -> None:
    for i in range(len(words)):
        there[i] = decode_track(words[i], endcap, out[i])


def correlator_tracks(words: NDArray[np.int32], endcap: bool) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """The correlator's tracks of track words by one of the two decoders, see `decode_track`.

    Parameters
    ----------
    words
        int32 (n, 6), the fields `W_RINV` to `W_QUALITY`.
    endcap
        Which decoder.

    Returns
    -------
    tracks, there
        int32 (n, 9) by `TK_PT` to `TK_QUALITY`, and bool (n,), whether each is a track.
    """
    words = np.ascontiguousarray(words, np.int32)
    tracks = np.zeros((len(words), TK_COLUMNS), np.int32)
    there = np.zeros(len(words), np.bool_)
    _decode(words, endcap, tracks, there)
    return tracks, there
