"""From tracks and towers to the candidates that the jet finder receives: the correlator's words all the way.

Tracks become track words and are decoded, towers become clusters, and both are handed to the regions; in each particle
flow and PUPPI make candidates of them, which the deregionizer puts into one list (`l1emu.events.correlator`). Every
muon that has a track is also one of the muon system, with the track's words.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import in_place, kernel
from l1emu.events.correlator.buffered_regions import (
    CALO_SECTORS,
    ENDCAP_SLICES,
    FORWARD_SLICES,
    TRACK_SECTORS,
    buffer_regions,
)
from l1emu.events.correlator.deregionizer import SLICES_FROM_MINUS_3, arrivals
from l1emu.events.correlator.flow_barrel import (
    BARREL_CLUSTERS,
    BARREL_EM_CLUSTERS,
    BARREL_MUONS,
    BARREL_NEUTRALS,
    BARREL_TRACKS,
    flow_barrel,
)
from l1emu.events.correlator.flow_endcap import ENDCAP_CLUSTERS, ENDCAP_MUONS, ENDCAP_TRACKS, flow_endcap
from l1emu.events.correlator.puppi import MAX_PUPPI_CANDIDATES, PuppiScratch, puppi_region, puppi_scratch
from l1emu.events.correlator.regions import (
    BARREL,
    ENDCAP,
    FORWARD,
    N_REGIONS,
    PHI_SLICES,
    Intake,
    Region,
    region_at,
    regionize,
    turn_word,
)
from l1emu.events.correlator.tracks import (
    LOOSE,
    SECTOR_ETA,
    SECTOR_PHI,
    TIGHT,
    TRACK_Z0_BITS,
    TRACK_Z0_STEP_CM,
    W_D0,
    W_TANL,
    WORD_COLUMNS,
    curvature,
    decode_track,
    digitized,
    fill_track_word,
)
from l1emu.events.correlator.vertex import PT_STEPS_A_GEV, Z0_STEPS_A_CM, fast_histogram
from l1emu.events.correlator.words import (
    CH_COLUMNS,
    EM_COLUMNS,
    HAD_COLUMNS,
    ID_ELECTRON_MINUS,
    ID_HADRON_MINUS,
    ID_MUON_MINUS,
    ID_PHOTON,
    NE_COLUMNS,
    PUPPI_COLUMNS,
    PUPPI_DXY,
    PUPPI_EM_ID,
    PUPPI_ETA,
    PUPPI_ID,
    PUPPI_PHI,
    PUPPI_PT,
    PUPPI_QUALITY,
    PUPPI_WEIGHT,
    PUPPI_Z0,
    TK_CHARGE,
    TK_COLUMNS,
    TK_DETA,
    TK_DPHI,
    TK_DXY,
    TK_ETA,
    TK_PHI,
)
from l1emu.events.generate.clusters import ClusterBuffers, cluster_buffers, cluster_words
from l1emu.events.generate.detector import (
    MAX_TRACKS,
    TRACK_CHARGE,
    TRACK_D0,
    TRACK_ETA,
    TRACK_PARTICLE,
    TRACK_PHI,
    TRACK_PT,
    TRACK_Z0,
    Towers,
)
from l1emu.events.hardware import (
    CHARGED_HADRON,
    ELECTRON,
    HALF_TURN,
    MAX_CANDIDATES,
    MUON,
    NEUTRAL_HADRON,
    PHOTON,
    Z0_MAX,
    Z0_STEP_CM,
)

FIELDS = ("pt", "eta", "phi", "id", "z0", "dxy", "weight", "charge", "emid", "quality")
"""The columns of candidates."""

_ALL_GOOD = LOOSE | TIGHT  # tracks that are none are not made here
# What a region keeps of barrel and endcap objects, by its kind.
_BARREL_TRACK_LIMITS = np.array([BARREL_TRACKS, 0, 0])
_ENDCAP_TRACK_LIMITS = np.array([0, ENDCAP_TRACKS, 0])
_EM_LIMITS = np.array([BARREL_EM_CLUSTERS, 0, 0])
_BARREL_LIMITS = np.array([BARREL_CLUSTERS, 0, 0])
_ENDCAP_LIMITS = np.array([0, ENDCAP_CLUSTERS, MAX_PUPPI_CANDIDATES[FORWARD]])
_FORWARD_CLUSTERS = int(MAX_PUPPI_CANDIDATES[FORWARD])
_BARREL_MUON_LIMITS = np.array([BARREL_MUONS, 0, 0])
_ENDCAP_MUON_LIMITS = np.array([0, ENDCAP_MUONS, 0])


@kernel
def find_vertex(tracks: NDArray[np.float64]) -> int:
    """z0 of the primary vertex as the correlator's word, of (n, 8) tracks as `detector.add_collision` writes them."""
    n = len(tracks)
    pt, z0 = np.empty(n, np.int64), np.empty(n, np.int64)
    for t in range(n):
        pt[t] = math.floor(tracks[t, TRACK_PT] * PT_STEPS_A_GEV)
        z0[t] = digitized(tracks[t, TRACK_Z0], TRACK_Z0_STEP_CM, TRACK_Z0_BITS)
    at_cm = fast_histogram(pt, z0) / Z0_STEPS_A_CM
    return min(max(math.floor(at_cm / Z0_STEP_CM + 0.5), -Z0_MAX - 1), Z0_MAX)


class _Objects(NamedTuple):
    """Objects over all of the detector: `rows` of words, and where they are, (n, 2) eta and phi, and `also_at`.

    Of tracks also the `sector` of the track finder, (n,): those of the positive endcap come after the negative one's.
    """

    rows: NDArray[np.int32]
    at: NDArray[np.int32]
    also_at: NDArray[np.int32]
    sector: NDArray[np.int64]


class Layer1Buffers(NamedTuple):
    """Room for `reconstruct`: what is made of a crossing, and what is made of a region.

    `barrel_tracks` and `endcap_tracks` are those of either decoder, `muons` those of the muon system.
    """

    clusters: ClusterBuffers
    barrel_tracks: _Objects
    endcap_tracks: _Objects
    barrel_muons: _Objects
    endcap_muons: _Objects
    word: NDArray[np.int32]
    tracks: NDArray[np.int32]
    em: NDArray[np.int32]
    hadronic: NDArray[np.int32]
    muons: NDArray[np.int32]
    charged: NDArray[np.int32]
    neutrals: NDArray[np.int32]
    charged_muons: NDArray[np.int32]
    puppi: PuppiScratch
    candidates: NDArray[np.int32]
    region: NDArray[np.int64]
    order: NDArray[np.int64]


@kernel
def _objects(n: int) -> _Objects:
    rows, at, also_at = np.empty((n, TK_COLUMNS), np.int32), np.empty((n, 2), np.int32), np.empty((n, 2), np.int32)
    return _Objects(rows, at, also_at, np.empty(n, np.int64))


@kernel
def layer1_buffers() -> Layer1Buffers:
    """Room for any crossing."""
    most = N_REGIONS * MAX_PUPPI_CANDIDATES.max()
    return Layer1Buffers(
        cluster_buffers(),
        _objects(MAX_TRACKS),
        _objects(MAX_TRACKS),
        _objects(MAX_TRACKS),
        _objects(MAX_TRACKS),
        np.empty(WORD_COLUMNS, np.int32),
        np.empty((ENDCAP_TRACKS, TK_COLUMNS), np.int32),
        np.empty((BARREL_EM_CLUSTERS, EM_COLUMNS), np.int32),
        np.empty((ENDCAP_CLUSTERS, HAD_COLUMNS), np.int32),
        np.empty((ENDCAP_MUONS, TK_COLUMNS), np.int32),
        np.empty((ENDCAP_TRACKS, CH_COLUMNS), np.int32),
        np.empty((BARREL_NEUTRALS, NE_COLUMNS), np.int32),
        np.empty((ENDCAP_MUONS, CH_COLUMNS), np.int32),
        puppi_scratch(),
        np.empty((most, PUPPI_COLUMNS), np.int32),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
    )


@in_place
def _decode(track: NDArray[np.float64], endcap: bool, word: NDArray[np.int32], into: _Objects, n: int) -> int:
    """Add a track to those of a decoder, if it is one of its own; returns their number."""
    charge = int(track[TRACK_CHARGE])
    rinv, tanl = curvature(track[TRACK_PT], charge), math.sinh(track[TRACK_ETA])
    sector = fill_track_word(rinv, track[TRACK_PHI], tanl, track[TRACK_Z0], track[TRACK_D0], _ALL_GOOD, word)
    row = into.rows[n]
    if not decode_track(word, endcap, row):
        return n
    row[TK_ETA] += -SECTOR_ETA if word[W_TANL] < 0 else SECTOR_ETA
    into.sector[n] = sector if word[W_TANL] < 0 else TRACK_SECTORS + sector
    row[TK_PHI] = turn_word(turn_word(SECTOR_PHI * sector) + row[TK_PHI])
    row[TK_DXY] = word[W_D0]  # the signed word is handed through; the correlator's own is `root_of_d0` of it
    into.at[n, 0], into.at[n, 1] = row[TK_ETA], row[TK_PHI]
    into.also_at[n, 0] = row[TK_ETA] + row[TK_DETA]
    bend = row[TK_DPHI] if row[TK_CHARGE] else -row[TK_DPHI]
    into.also_at[n, 1] = turn_word(row[TK_PHI] + bend)
    return n + 1


@in_place
def _copy(of: _Objects, i: int, into: _Objects, n: int) -> int:
    """Add object i to others, at its place at the calorimeter; returns their number."""
    for column in range(TK_COLUMNS):
        into.rows[n, column] = of.rows[i, column]
    for k in range(2):
        into.at[n, k] = into.also_at[n, k] = of.at[i, k]
    return n + 1


@kernel
def _take_tracks(objects: _Objects, n: int, limits: NDArray[np.int64]) -> Intake:
    return regionize(objects.rows[:n, 0], objects.at[:n], objects.also_at[:n], limits)


@kernel
def _take_clusters(rows: NDArray[np.int32], limits: NDArray[np.int64]) -> Intake:
    return regionize(rows[:, 0], rows[:, 1:3], rows[:, 1:3], limits)


@kernel
def _through_buffers(
    slices: tuple[int, int],
    sectors: int,
    sector: NDArray[np.int64],
    pt: NDArray[np.int32],
    at: NDArray[np.int32],
    also_at: NDArray[np.int32],
    limit: int,
    intake: Intake,
) -> None:
    """Hand objects to the endcaps' regions as the firmware does; those of a sector arrive along phi."""
    order = np.argsort(at[:, 1], kind="mergesort")
    buffer_regions(slices, sector[order], sectors, pt[order], at[order], also_at[order], limit, intake)
    for slice_eta in slices:
        for number in range(slice_eta * PHI_SLICES, (slice_eta + 1) * PHI_SLICES):
            for k in range(intake.counts[number]):
                intake.members[number, k] = order[intake.members[number, k]]


@kernel
def _buffer(tracks: _Objects, n: int, clusters: NDArray[np.int32], track_intake: Intake, intake: Intake) -> None:
    """Fill the endcaps' regions anew with `n` tracks and with clusters, as the firmware does."""
    rows, at, also_at = tracks.rows[:n], tracks.at[:n], tracks.also_at[:n]
    _through_buffers(
        ENDCAP_SLICES, TRACK_SECTORS, tracks.sector[:n], rows[:, 0], at, also_at, ENDCAP_TRACKS, track_intake
    )
    sector = np.empty(len(clusters), np.int64)
    turn = 2 * HALF_TURN
    for i in range(len(clusters)):  # the first sector is from 30 to 150 degrees
        sector[i] = (clusters[i, 2] - turn // 12) % turn // (turn // CALO_SECTORS)
        sector[i] += CALO_SECTORS if clusters[i, 1] >= 0 else 0
    place = clusters[:, 1:3]
    for slices, limit in ((ENDCAP_SLICES, ENDCAP_CLUSTERS), (FORWARD_SLICES, _FORWARD_CLUSTERS)):
        _through_buffers(slices, CALO_SECTORS, sector, clusters[:, 0], place, place, limit, intake)


@in_place
def _localize(region: Region, number: int, intake: Intake, rows: NDArray[np.int32], out: NDArray[np.int32]) -> int:
    """Copy what a region takes in, eta and phi from its centre; returns how many. Rows begin with pt, eta and phi."""
    n = int(intake.counts[number])
    for k in range(n):
        row = rows[intake.members[number, k]]
        for column in range(out.shape[1]):
            out[k, column] = row[column]
        out[k, 1] -= region.eta
        out[k, 2] = turn_word(out[k, 2] - region.phi)
    return n


class _Intakes(NamedTuple):
    """What the regions take in, of each kind of objects."""

    barrel_tracks: Intake
    endcap_tracks: Intake
    em: Intake
    barrel: Intake
    endcap: Intake
    barrel_muons: Intake
    endcap_muons: Intake


@kernel
def _hand_out(
    rng: np.random.Generator, towers: Towers, tracks: NDArray[np.float64], buffers: Layer1Buffers, buffered: bool
) -> _Intakes:
    """Make the words of a crossing's objects, and hand them to the regions."""
    n_barrel = n_endcap = n_muons = n_endcap_muons = 0
    for t in range(len(tracks)):
        is_muon = int(tracks[t, TRACK_PARTICLE]) == MUON
        n = _decode(tracks[t], False, buffers.word, buffers.barrel_tracks, n_barrel)
        if is_muon and n > n_barrel:
            n_muons = _copy(buffers.barrel_tracks, n_barrel, buffers.barrel_muons, n_muons)
        n_barrel = n
        n = _decode(tracks[t], True, buffers.word, buffers.endcap_tracks, n_endcap)
        if is_muon and n > n_endcap:
            n_endcap_muons = _copy(buffers.endcap_tracks, n_endcap, buffers.endcap_muons, n_endcap_muons)
        n_endcap = n
    counts = cluster_words(rng, towers, buffers.clusters)
    found = _Intakes(
        _take_tracks(buffers.barrel_tracks, n_barrel, _BARREL_TRACK_LIMITS),
        _take_tracks(buffers.endcap_tracks, n_endcap, _ENDCAP_TRACK_LIMITS),
        _take_clusters(buffers.clusters.em[: counts.em], _EM_LIMITS),
        _take_clusters(buffers.clusters.barrel[: counts.barrel], _BARREL_LIMITS),
        _take_clusters(buffers.clusters.endcap[: counts.endcap], _ENDCAP_LIMITS),
        _take_tracks(buffers.barrel_muons, n_muons, _BARREL_MUON_LIMITS),
        _take_tracks(buffers.endcap_muons, n_endcap_muons, _ENDCAP_MUON_LIMITS),
    )
    if buffered:
        clusters = buffers.clusters.endcap[: counts.endcap]
        _buffer(buffers.endcap_tracks, n_endcap, clusters, found.endcap_tracks, found.endcap)
    return found


@kernel
def _run_region(number: int, vertex_z0: int, intakes: _Intakes, buffers: Layer1Buffers, out: NDArray[np.int32]) -> int:
    """Particle flow and PUPPI of a region; returns the number of its candidates."""
    region = region_at(number)
    b = buffers
    if region.kind == FORWARD:
        n = _localize(region, number, intakes.endcap, b.clusters.endcap, b.hadronic)
        return puppi_region(region, vertex_z0, b.tracks[:0], b.charged[:0], b.hadronic[:n], b.puppi, out)
    if region.kind == BARREL:
        n = _localize(region, number, intakes.barrel_tracks, b.barrel_tracks.rows, b.tracks)
        e = _localize(region, number, intakes.em, b.clusters.em, b.em)
        h = _localize(region, number, intakes.barrel, b.clusters.barrel, b.hadronic)
        m = _localize(region, number, intakes.barrel_muons, b.barrel_muons.rows, b.muons)
        given = b.tracks[:n], b.em[:e], b.hadronic[:h], b.muons[:m]
        flow_barrel(region.eta, *given, b.charged, b.neutrals, b.charged_muons)
        neutrals = b.neutrals
    else:
        n = _localize(region, number, intakes.endcap_tracks, b.endcap_tracks.rows, b.tracks)
        h = _localize(region, number, intakes.endcap, b.clusters.endcap, b.hadronic)
        m = _localize(region, number, intakes.endcap_muons, b.endcap_muons.rows, b.muons)
        flow_endcap(region.eta, b.tracks[:n], b.hadronic[:h], b.muons[:m], b.charged, b.neutrals, b.charged_muons)
        neutrals = b.neutrals[:ENDCAP_CLUSTERS]
    return puppi_region(region, vertex_z0, b.tracks[:n], b.charged[:n], neutrals, b.puppi, out)


@in_place
def _write(row: NDArray[np.int32], out: NDArray[np.int32]) -> None:
    """Write a PUPPI candidate as the columns `FIELDS`."""
    identifier = row[PUPPI_ID]
    if identifier >= ID_MUON_MINUS:
        particle = MUON
    elif identifier >= ID_ELECTRON_MINUS:
        particle = ELECTRON
    elif identifier >= ID_HADRON_MINUS:
        particle = CHARGED_HADRON
    else:
        particle = PHOTON if identifier == ID_PHOTON else NEUTRAL_HADRON
    charge = 0
    if identifier >= ID_HADRON_MINUS:
        charge = 1 if identifier & 1 else -1
    out[0], out[1], out[2] = row[PUPPI_PT], row[PUPPI_ETA], row[PUPPI_PHI]
    out[3], out[4], out[5] = particle, row[PUPPI_Z0], row[PUPPI_DXY]
    out[6], out[7], out[8], out[9] = row[PUPPI_WEIGHT], charge, row[PUPPI_EM_ID], row[PUPPI_QUALITY]


@kernel
def reconstruct(
    rng: np.random.Generator,
    towers: Towers,
    tracks: NDArray[np.float64],
    buffers: Layer1Buffers,
    out: NDArray[np.int32],
    buffered: bool = False,
) -> tuple[int, int]:
    """The candidates of a crossing in the order in which they reach the jet finder.

    Parameters
    ----------
    rng
        Of the clusters that are lost.
    towers
        Digitized.
    tracks
        (n, 8) as `detector.add_collision` writes them.
    buffers
        From `layer1_buffers`.
    out
        (128, 10): filled with the candidates, `FIELDS`.
    buffered
        Whether the endcaps' regions are filled through the firmware's buffers (`correlator.buffered_regions`).

    Returns
    -------
    How many there are, and the word of the vertex's z0.
    """
    vertex_z0 = find_vertex(tracks)
    intakes = _hand_out(rng, towers, tracks, buffers, buffered)
    n = 0
    for number in range(N_REGIONS):
        found = _run_region(number, vertex_z0, intakes, buffers, buffers.candidates[n:])
        sender = PHI_SLICES * SLICES_FROM_MINUS_3[number // PHI_SLICES] + number % PHI_SLICES
        buffers.region[n : n + found] = sender
        n += found
    arrived = min(arrivals(buffers.region[:n], buffers.order), MAX_CANDIDATES)
    for k in range(arrived):
        _write(buffers.candidates[buffers.order[k]], out[k])
    return arrived, vertex_z0


assert BARREL < ENDCAP < FORWARD  # by which the limits above are ordered
