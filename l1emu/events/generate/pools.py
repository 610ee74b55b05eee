"""Pools of Pythia 8 collisions: made in chunks with their own seeds, kept in a cache folder, taken up again."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.arrays import check_array, read_npz
from l1emu.caches import cache_root
from l1emu.children import end_with_parent, signals_wait
from l1emu.errors import L1emuError
from l1emu.events.generate import truth
from l1emu.events.generate.recipe import Process, SampleRecipe
from l1emu.events.generate.tunes import TUNES
from l1emu.events.hardware import CHARGED_HADRON, ELECTRON, MUON, NEUTRAL_HADRON, PHOTON
from l1emu.files import scratch_folder, sha256_bytes, sweep, write_aside

_CHUNK = 2000  # collisions a chunk
_BATCH = 1000  # collisions a call of Pythia's bulk interface: about 200 MB of awkward arrays
_FORMAT = 1  # raised whenever the content of a chunk changes for the same process and seed

# What a Level-1 detector regards as stable: everything that flies further than 10 mm (K0S, Lambda, hyperons).
_COMMON = (
    "Print:quiet = on",
    "Random:setSeed = on",
    "ParticleDecays:limitTau0 = on",
    "ParticleDecays:tau0Max = 10.",
)

# The CMS solenoid and calorimeter surface: half the field times 0.3, for radii in metres and pt in GeV.
_BENDING = 0.5 * 0.299792458 * 3.8
_ECAL_RADIUS_M = 1.29
_ENDCAP_Z_M = 3.2
_BARREL_ETA = 1.48

_MAX_ABS_ETA = 3.1  # beyond the towers' edge
_MIN_PT_GEV = 0.1
_MIN_TRACK_PT_GEV = 1.8  # below the 2 GeV of the track finder by more than its resolution

ARRAYS = ("pt", "eta", "phi", "bend", "d0_cm", "z0_cm", "particle", "charge")
_HUGE = 1e9  # GeV or cm
_JET_ARRAYS = ("jet_pt", "jet_eta", "jet_phi", "jet_flavour")

_DTYPES = (
    {key: np.dtype(np.float32) for key in (*ARRAYS, *_JET_ARRAYS)}
    | {key: np.dtype(np.int8) for key in ("particle", "charge", "jet_flavour")}
    | {key: np.dtype(np.int32) for key in ("count", "jet_count")}
)
_RANGES: dict[str, tuple[float, float]] = {
    "particle": (CHARGED_HADRON, NEUTRAL_HADRON),
    "charge": (-1, 1),
    "eta": (-_MAX_ABS_ETA, _MAX_ABS_ETA),
    "phi": (-4, 4),
    "jet_flavour": (0, len(truth.FLAVOURS) - 1),
}
"""The lowest and the highest value, within `_HUGE` otherwise."""


@dataclass(frozen=True)
class Pool:
    """Collisions of one process, flat: those of collision e are at `offset[e]` to `offset[e + 1]`.

    pt [GeV], eta, phi [rad] at the vertex; `bend` what the field adds to phi on the way to the calorimeter [rad],
    NaN for what does not reach it; d0, z0 [cm] relative to the collision; `particle` as in
    `l1emu.events.hardware`; charge -1, 0, 1. `jet_*` are the generator jets, flat with `jet_offset`; `pythia` is the
    version of pythia8mc that made them, empty where they were made before versions were kept with them.
    """

    name: str
    sigma_mb: float
    offset: NDArray[np.int64]
    arrays: dict[str, NDArray[Any]]
    jet_offset: NDArray[np.int64]
    jets: dict[str, NDArray[Any]]
    pythia: str = ""

    @property
    def events(self) -> int:
        """Number of collisions in the pool."""
        return len(self.offset) - 1


def _pythia_module() -> Any:
    """The Python module of Pythia 8.

    Raises
    ------
    L1emuError
        if the extra is not installed.
    """
    try:
        import pythia8mc
    except ImportError:
        raise L1emuError(
            "Pythia 8 is not installed", expected="pip install 'l1emu[generate]' (its licence is the GPL)"
        ) from None
    return pythia8mc


def _settings(process: Process, recipe: SampleRecipe) -> list[str]:
    """Pythia's settings of a process, its seed excepted."""
    tune = () if recipe.tune is None else TUNES[recipe.tune]
    lines = [*_COMMON, f"Beams:eCM = {recipe.energy_tev * 1000:g}", *tune, *process.settings]
    if process.pt_hat_gev is not None:
        lines += [f"PhaseSpace:pTHat{end} = {v:g}" for end, v in zip(("Min", "Max"), process.pt_hat_gev, strict=False)]
    return lines


def _identity(process: Process, recipe: SampleRecipe) -> str:
    seed = recipe.pool_seed if process.pool_seed is None else process.pool_seed
    return json.dumps([_FORMAT, _settings(process, recipe), process.veto_pt_hat_gev, seed, _CHUNK])


def _pool_folder(process: Process, recipe: SampleRecipe, cache: Path) -> Path:
    """The folder of the pool's chunks: named after everything that determines their content."""
    return cache / f"{process.name}-{sha256_bytes(_identity(process, recipe).encode())[:16]}"


def make_pools(
    processes: Iterable[Process],
    recipe: SampleRecipe,
    cache: Path,
    jobs: int,
    advance: Callable[[int], None],
    begin: float = 0.0,
) -> None:
    """Make the chunks that the cache lacks, `jobs` at a time; `advance(events)` is called for every chunk.

    Several processes may work on one cache. Each looks once more before it makes a chunk; if they begin at different
    places, at the fraction `begin` of what is missing, hardly a chunk is made twice.
    """
    missing = []
    for process in processes:
        for number in range(_chunks(process)):
            size = min(_CHUNK, process.events - number * _CHUNK)
            path = _pool_folder(process, recipe, cache) / f"{number:04d}-{size}.npz"
            if path.exists():
                advance(size)
            else:
                seed = _seed(process, recipe, number)
                missing.append((_settings(process, recipe), process.veto_pt_hat_gev, seed, size, path))
    turn = int(begin * len(missing))
    missing = missing[turn:] + missing[:turn]
    if missing:
        _pythia_module()
    if min(jobs, len(missing)) <= 1:
        for task in missing:
            advance(_make_chunk(*task))
        return
    try:
        with _workers(min(jobs, len(missing))) as executor:
            with signals_wait():
                chunks = [executor.submit(_make_chunk, *task) for task in missing]
            for chunk in as_completed(chunks):
                advance(chunk.result())
    except BrokenProcessPool:
        raise L1emuError(
            "a process that runs Pythia was killed", expected="about 1 GB of memory for each of --jobs"
        ) from None
    finally:
        for folder in {path.parent for *_, path in missing}:
            sweep(folder)


@contextmanager
def _workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that end with the block, and with this process: a chunk in work takes up to a minute."""
    others = set(active_children())
    executor = ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=end_with_parent, initargs=(os.getpid(),)
    )
    try:
        yield executor
        executor.shutdown()
    except BaseException:
        for child in set(active_children()) - others:
            child.kill()
        executor.shutdown(cancel_futures=True)  # once: a second call would not wait for its thread
        raise


def _chunks(process: Process) -> int:
    return -(-process.events // _CHUNK)


def _seed(process: Process, recipe: SampleRecipe, number: int) -> int:
    digest = sha256_bytes(f"{_identity(process, recipe)}/{number}".encode())
    return 1 + int(digest[:12], 16) % 899_999_999  # Pythia takes 1 to 900 000 000


def load_pool(process: Process, recipe: SampleRecipe, cache: Path) -> Pool:
    """Read a pool that `make_pools` has made.

    Raises
    ------
    L1emuError
        if a chunk is damaged.
    """
    parts = []
    for number in range(_chunks(process)):
        size = min(_CHUNK, process.events - number * _CHUNK)
        path = _pool_folder(process, recipe, cache) / f"{number:04d}-{size}.npz"
        try:
            part = _read_chunk(path, size)
        except L1emuError as error:
            raise L1emuError(
                f"a damaged chunk of a pool: {error.message}",
                path=path,
                where=error.where,
                value=error.value,
                expected="delete it: it will be made again",
            ) from None
        parts.append(part)
    joined = {key: np.concatenate([p[key] for p in parts]) for key in (*ARRAYS, *_JET_ARRAYS, "count", "jet_count")}
    events = np.array([len(p["count"]) for p in parts])
    sigma = np.array([float(p["sigma_mb"]) for p in parts])
    return Pool(
        name=process.name,
        sigma_mb=float((sigma * events).sum() / events.sum()),
        offset=_offsets(joined["count"]),
        arrays={key: joined[key] for key in ARRAYS},
        jet_offset=_offsets(joined["jet_count"]),
        jets={key: joined[key] for key in _JET_ARRAYS},
        pythia=_version_of(_pool_folder(process, recipe, cache), parts),
    )


def pythia_version() -> str:
    """The version of pythia8mc that is installed.

    Raises
    ------
    L1emuError
        if there is none.
    """
    try:
        return version("pythia8mc")
    except PackageNotFoundError:
        _pythia_module()
        return "unknown"


def collisions_version(recipe: SampleRecipe, cache: str | os.PathLike[str] | None = None) -> str:
    """The version of pythia8mc that a sample made with this cache would have: of the first chunk there, else installed.

    Raises
    ------
    L1emuError
        if no collision is there and Pythia is not installed, or the chunk is damaged.
    """
    with pools_folder(cache) as folder:
        for process in recipe.processes:
            chunk = next(iter(sorted(_pool_folder(process, recipe, folder).glob("[0-9]*.npz"))), None)
            if chunk is not None and (said := str(read_npz(chunk).get("pythia8mc", ""))):
                return said
    return pythia_version()


def _version_of(folder: Path, chunks: Sequence[dict[str, NDArray[Any]]]) -> str:
    """The version of pythia8mc that made the chunks of a pool, empty where none says so."""
    said = {str(chunk.get("pythia8mc", "")) for chunk in chunks}
    if len(said) > 1 and "" in said:
        said = said - {""} | {pythia_version()}
    if len(said) > 1:
        raise L1emuError(
            "a pool with chunks of several versions of Pythia",
            path=folder,
            value=sorted(said),
            expected="delete it: it will be made again",
        )
    return said.pop()


def _read_chunk(path: Path, size: int) -> dict[str, NDArray[Any]]:
    """The arrays of a chunk of `size` collisions (fewer after a veto), as kernels index them."""
    arrays = read_npz(path)
    lost = [name for name in (*_DTYPES, "sigma_mb") if name not in arrays]
    if lost:
        raise L1emuError("an array is missing", path=path, where=lost[0], value=sorted(arrays))
    if "pythia8mc" in arrays:
        check_array(arrays["pythia8mc"], path=path, where="pythia8mc", kinds="U", shape=())
    check_array(arrays["sigma_mb"], path=path, where="sigma_mb", kinds="f", shape=(), low=0, high=1e6)
    events = arrays["count"].size
    if events > size:  # a veto can leave none
        raise L1emuError("wrong number of collisions", path=path, where="count", value=events, expected=f"{size}")
    for counts, names in (("count", ARRAYS), ("jet_count", _JET_ARRAYS)):
        check_array(arrays[counts], path=path, where=counts, kinds="i", shape=(events,), low=0, high=1_000_000)
        total = int(arrays[counts].sum(dtype=np.int64))
        for name in names:
            # a bend has no value where there is no track
            low, high = (None, None) if name == "bend" else _RANGES.get(name, (-_HUGE, _HUGE))
            check_array(
                arrays[name], path=path, where=name, kinds=_DTYPES[name].kind, shape=(total,), low=low, high=high
            )
    for name, dtype in _DTYPES.items():
        if arrays[name].dtype != dtype:
            raise L1emuError("wrong type", path=path, where=name, value=str(arrays[name].dtype), expected=str(dtype))
    if np.isinf(arrays["bend"]).any():
        raise L1emuError("an infinite value", path=path, where="bend")
    return arrays


def _offsets(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def _make_chunk(lines: list[str], veto: float | None, seed: int, events: int, path: Path) -> int:
    """Generate one chunk and write it, unless it is there by now; returns the number of collisions asked for."""
    if path.exists():
        return events
    p8 = _pythia_module()
    pythia = p8.Pythia("", False)
    for line in [*lines, f"Random:seed = {seed}"]:
        if not pythia.readString(line, False):  # its own complaint would go to standard output
            raise L1emuError("Pythia does not know this setting", value=line)
    if not pythia.init():
        raise L1emuError("Pythia cannot start with these settings", value="; ".join(lines))
    parts: list[dict[str, NDArray[Any]]] = []
    left = events
    while left > 0:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            batch = pythia.nextBatch(min(_BATCH, left), errorMode="skip")
        left -= min(_BATCH, left)
        if veto is not None:
            batch = batch[np.sqrt(ak.to_numpy(batch.info.pT2Hat)) < veto]
        parts.append(_compact(batch.prt))
    arrays = {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
    with write_aside(path) as aside:
        np.savez(aside, sigma_mb=pythia.infoPython().sigmaGen(), pythia8mc=np.array(pythia_version()), **arrays)
    return events


def _flat(array: ak.Array) -> NDArray[Any]:
    return np.asarray(ak.to_numpy(ak.flatten(array)))


def _compact(record: ak.Array) -> dict[str, NDArray[Any]]:
    """Of Pythia's event records what a Level-1 detector can see, and the generator jets."""
    events = len(record)
    event = np.repeat(np.arange(events), ak.to_numpy(ak.num(record.id)))
    number, status = _flat(record.id), _flat(record.status)
    px, py, pz, e = (_flat(record.p[c]) for c in ("px", "py", "pz", "e"))
    pt = np.hypot(px, py)
    eta = np.arcsinh(pz / np.maximum(pt, 1e-9))
    phi = np.arctan2(py, px)
    code = np.abs(number)

    visible = (status > 0) & ~np.isin(code, (12, 14, 16))
    jets = _jets(events, event, number, status, visible, px, py, pz, e, pt, eta, phi)

    kept = visible & (np.abs(eta) < _MAX_ABS_ETA) & (pt > _MIN_PT_GEV)
    vx, vy, vz = (0.1 * np.asarray(ak.fill_none(ak.flatten(record.vProd[c]), 0.0))[kept] for c in ("px", "py", "pz"))
    event, number, code, pt, eta, phi = (a[kept] for a in (event, number, code, pt, eta, phi))
    particle = np.full(len(code), NEUTRAL_HADRON, np.int8)
    particle[np.isin(code, (211, 321, 2212, 3112, 3222, 3312, 3334))] = CHARGED_HADRON
    particle[code == 11], particle[code == 13], particle[code == 22] = ELECTRON, MUON, PHOTON
    charge = np.sign(number).astype(np.int8)
    lepton_or_minus = np.isin(code, (11, 13, 3112, 3312, 3334))  # particles whose positive code has charge -1
    charge[lepton_or_minus] *= -1
    charge[particle >= PHOTON] = 0

    radius = np.where(np.abs(eta) < _BARREL_ETA, _ECAL_RADIUS_M, _ENDCAP_Z_M / np.maximum(np.sinh(np.abs(eta)), 0.1))
    sine = _BENDING * radius / pt
    bend = np.where(sine < 1, -charge * np.arcsin(np.minimum(sine, 1.0)), np.nan)
    bend[charge == 0] = 0.0
    seen = ~np.isnan(bend) | (pt > _MIN_TRACK_PT_GEV)
    d0 = vx * np.sin(phi) - vy * np.cos(phi)
    z0 = vz - (vx * np.cos(phi) + vy * np.sin(phi)) * np.sinh(eta)
    return {
        "count": np.bincount(event[seen], minlength=events).astype(np.int32),
        "pt": pt[seen].astype(np.float32),
        "eta": eta[seen].astype(np.float32),
        "phi": phi[seen].astype(np.float32),
        "bend": bend[seen].astype(np.float32),
        "d0_cm": d0[seen].astype(np.float32),
        "z0_cm": z0[seen].astype(np.float32),
        "particle": particle[seen],
        "charge": charge[seen],
        **jets,
    }


def _jets(
    events: int,
    event: NDArray[Any],
    number: NDArray[Any],
    status: NDArray[Any],
    visible: NDArray[Any],
    px: NDArray[Any],
    py: NDArray[Any],
    pz: NDArray[Any],
    e: NDArray[Any],
    pt: NDArray[Any],
    eta: NDArray[Any],
    phi: NDArray[Any],
) -> dict[str, NDArray[Any]]:
    """Anti-kt jets of the visible particles with |eta| < 3.1, and their flavours."""
    code, state = np.abs(number), np.abs(status)
    digits = (code // 100 % 10, code // 1000 % 10)
    hadron = (code > 100) & (code < 1_000_000) & (pt > 5.0)
    parton = (code <= 5) | (code == 21)
    kind = np.full(len(code), -1)
    kind[parton & np.isin(state, (71, 72)) & (pt > 1.0)] = truth.FINAL_PARTON
    kind[parton & (state == 23)] = truth.HARD_PARTON
    kind[hadron & ((digits[0] == 4) | (digits[1] == 4))] = truth.C_HADRON
    kind[hadron & ((digits[0] == 5) | (digits[1] == 5))] = truth.B_HADRON

    inside = visible & (np.abs(eta) < _MAX_ABS_ETA) & (pt > _MIN_PT_GEV)
    ends = _offsets(np.bincount(event[inside], minlength=events))
    momenta = tuple(a[inside] for a in (px, py, pz, e))
    labels = kind >= 0
    label_ends = _offsets(np.bincount(event[labels], minlength=events))
    tags = tuple(a[labels] for a in (kind, number == 21, pt, eta, phi))
    count = np.zeros(events, np.int32)
    found = []
    for i in range(events):
        part = slice(ends[i], ends[i + 1])
        # a jet above the threshold needs a scalar sum of that much
        if np.hypot(momenta[0][part], momenta[1][part]).sum() < truth.MIN_JET_PT_GEV:
            continue
        px_, py_, pz_, e_ = (m[part] for m in momenta)
        jets = truth.anti_kt(px_, py_, pz_, e_, truth.RADIUS)
        jet_pt = np.hypot(jets[:, 0], jets[:, 1])
        jets, jet_pt = jets[jet_pt > truth.MIN_JET_PT_GEV], jet_pt[jet_pt > truth.MIN_JET_PT_GEV]
        order = np.argsort(-jet_pt, kind="stable")
        jets, jet_pt = jets[order], jet_pt[order]
        jet_eta, jet_phi = np.arcsinh(jets[:, 2] / jet_pt), np.arctan2(jets[:, 1], jets[:, 0])
        near = slice(label_ends[i], label_ends[i + 1])
        flavour = truth.label_jets(jet_eta, jet_phi, *(t[near] for t in tags))
        count[i] = len(jets)
        found.append(np.stack([jet_pt, jet_eta, jet_phi, flavour], axis=1))
    flat = np.concatenate(found) if found else np.zeros((0, 4))
    return {
        "jet_count": count,
        "jet_pt": flat[:, 0].astype(np.float32),
        "jet_eta": flat[:, 1].astype(np.float32),
        "jet_phi": flat[:, 2].astype(np.float32),
        "jet_flavour": flat[:, 3].astype(np.int8),
    }


def default_cache() -> Path | None:
    """Where pools are kept unless told otherwise: `pools` below `l1emu.caches.cache_root`; None without a place."""
    root = cache_root()
    return None if root is None else root / "pools"


@contextmanager
def pools_folder(chosen: str | os.PathLike[str] | None) -> Iterator[Path]:
    """The folder of the pools: `chosen`, else the default one, else one for the length of the block."""
    folder = default_cache() if chosen is None else Path(chosen)
    if folder is not None and (chosen is not None or folder.is_dir() or _can_create(folder)):
        yield folder
        return
    with scratch_folder("l1emu-pools") as scratch:
        yield scratch


def _can_create(folder: Path) -> bool:
    return os.access(next(p for p in folder.parents if p.exists()), os.W_OK | os.X_OK)
