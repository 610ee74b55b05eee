"""The LHC's beams: filling schemes, colliding crossings, and the normalisation of every rate in l1emu.

Slots are counted from 0 to 3563. Beam 1 and beam 2 meet in IP1 and IP5 slot by slot; in IP2 and IP8 they meet 891
and 894 slots apart. Distances between filled slots are differences of slot numbers: neighbours are 1 apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.jsontext import parse_json
from l1emu.notebook import Shown
from l1emu.stream.filling_csv import read_csv

ORBIT_SLOTS = 3564
REVOLUTION_HZ = 11245.5
"""Revolutions of the LHC a second at collision energy."""
_ABORT_GAP_FIRST_SLOT = 3443
"""From here to the end of the orbit (121 slots, 3 µs) nothing may be filled: the dump kickers rise."""
_IP2_OFFSET = 891
_IP8_OFFSET = 894
_NAME = re.compile(r"(?:^|_)(?P<bunches>\d+)b_(?P<ip15>\d+)_(?P<ip2>\d+)_(?P<ip8>\d+)(?:_|$)")

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Normalisation(Shown):
    """How a fraction of colliding crossings becomes a rate: colliding pairs times revolution frequency."""

    colliding: int
    revolution_hz: float = REVOLUTION_HZ

    @property
    def colliding_rate_hz(self) -> float:
        """Colliding crossings a second, in Hz."""
        return self.colliding * self.revolution_hz

    def __str__(self) -> str:
        return (
            f"{self.colliding} colliding bunches × {self.revolution_hz:g} Hz = {self.colliding_rate_hz / 1e6:.3f} MHz"
        )


DEFAULT_NORMALISATION = Normalisation(2748)
"""The HL-LHC scheme: 2748 pairs collide in IP1 and IP5. 30.903 MHz."""
MENU_TOOLS_NORMALISATION = Normalisation(2760, 11246.0)
"""What two widely used menu tools take: all 2760 bunches of a beam. 31.039 MHz, 0.44 % above the default."""


def colliding_rate_hz(colliding: int = 2748, revolution_hz: float = REVOLUTION_HZ) -> float:
    """Colliding crossings a second, in Hz, for a number of colliding pairs (default: the HL-LHC scheme)."""
    return Normalisation(colliding, revolution_hz).colliding_rate_hz


@dataclass(frozen=True)
class Train:
    """Bunches in neighbouring slots."""

    first_slot: int
    bunches: int


@dataclass(frozen=True, eq=False)
class FillingScheme(Shown):
    """Which slots of the two beams are filled.

    Attributes
    ----------
    name
        The scheme's name; LPC names are `{spacing}_{bunches}b_{IP1/5}_{IP2}_{IP8}_{bunches per injection}bpi_…`.
    beam1, beam2
        Boolean masks, shape (3564,).
    """

    name: str
    beam1: Mask
    beam2: Mask

    def __post_init__(self) -> None:
        for key, mask in (("beam1", self.beam1), ("beam2", self.beam2)):
            if mask.shape != (ORBIT_SLOTS,) or mask.dtype != np.bool_:
                raise L1emuError(
                    "not a mask of one orbit",
                    where=f"{self.name}, {key}",
                    value=f"{mask.dtype} of shape {mask.shape}",
                    expected=f"{ORBIT_SLOTS} booleans",
                )
            inside = np.flatnonzero(mask[_ABORT_GAP_FIRST_SLOT:])
            if inside.size:
                raise L1emuError(
                    "a bunch stands in the abort gap",
                    where=f"{self.name}, {key}, slot",
                    value=int(inside[0]) + _ABORT_GAP_FIRST_SLOT,
                    expected=f"filled slots below {_ABORT_GAP_FIRST_SLOT}",
                )
            mask.setflags(write=False)

    @property
    def colliding(self) -> Mask:
        """The crossings that collide in IP1 and IP5, shape (3564,)."""
        return self.beam1 & self.beam2

    @property
    def colliding_slots(self) -> npt.NDArray[np.int64]:
        """The numbers of the slots that collide in IP1 and IP5, ascending."""
        return np.flatnonzero(self.colliding).astype(np.int64)

    @property
    def collisions(self) -> dict[str, int]:
        """Colliding pairs in each interaction point."""
        b1, b2 = self.beam1, self.beam2
        return {
            "IP1/5": int(np.count_nonzero(b1 & b2)),
            "IP2": int(np.count_nonzero(b2 & np.roll(b1, _IP2_OFFSET))),
            "IP8": int(np.count_nonzero(b1 & np.roll(b2, _IP8_OFFSET))),
        }

    @property
    def normalisation(self) -> Normalisation:
        """This scheme's colliding pairs in IP1 and IP5 at the nominal revolution frequency."""
        return Normalisation(int(np.count_nonzero(self.colliding)))

    def bunches(self, beam: int) -> int:
        """Filled slots of beam 1 or 2."""
        return int(np.count_nonzero(self._mask(beam)))

    def trains(self, beam: int) -> tuple[Train, ...]:
        """Runs of neighbouring filled slots of beam 1 or 2, in order."""
        slots = np.flatnonzero(self._mask(beam))
        runs = np.split(slots, np.flatnonzero(np.diff(slots) > 1) + 1)
        return tuple(Train(int(run[0]), run.size) for run in runs if run.size)

    def spacings(self, beam: int) -> dict[int, int]:
        """Distance between successive filled slots of beam 1 or 2 -> how often; the abort gap is not counted."""
        distance, times = np.unique(np.diff(np.flatnonzero(self._mask(beam))), return_counts=True)
        return {int(d): int(n) for d, n in zip(distance, times, strict=True)}

    def _mask(self, beam: int) -> Mask:
        if beam not in (1, 2):
            raise L1emuError("no such beam", value=beam, expected="1 or 2")
        return self.beam1 if beam == 1 else self.beam2


def from_trains(name: str, beam1: Iterable[Train], beam2: Iterable[Train] | None = None) -> FillingScheme:
    """A scheme from its trains; beam 2 is like beam 1 unless it is given.

    Raises
    ------
    L1emuError
        if a train is empty, leaves the orbit, overlaps another one or reaches into the abort gap.
    """
    first = _mask_of(name, "beam1", beam1)
    second = first.copy() if beam2 is None else _mask_of(name, "beam2", beam2)
    return FillingScheme(name, first, second)


def _mask_of(name: str, key: str, trains: Iterable[Train]) -> Mask:
    mask = np.zeros(ORBIT_SLOTS, dtype=np.bool_)
    for train in trains:
        stop = train.first_slot + train.bunches
        where = f"{name}, {key}"
        if train.bunches < 1 or train.first_slot < 0 or stop > ORBIT_SLOTS:
            raise L1emuError("a train leaves the orbit", where=where, value=train, expected="slots 0 to 3563")
        if mask[train.first_slot : stop].any():
            raise L1emuError("two trains overlap", where=where, value=train)
        mask[train.first_slot : stop] = True
    return mask


def injection(first_slot: int, batches: int, *, bunches: int = 72, spacing: int = 79) -> list[Train]:
    """The trains of one injection from the SPS: `batches` of `bunches`, their first slots `spacing` apart."""
    return [Train(first_slot + i * spacing, bunches) for i in range(batches)]


def hl_lhc() -> FillingScheme:
    """The standard HL-LHC scheme: 2760 bunches a beam, 2748 pairs colliding in IP1 and IP5.

    Batches of 72 come four or two to an injection, with 8 slots between the last bunch of one and the first of the
    next, 32 between injections and 64 before the pairs that fit between longer injections. Each beam begins with 12
    bunches of its own (one of these trains meets nothing in IP1 and IP5: the 12 non-colliding bunches) and 12 more.
    The order of the batches is rebuilt here from the starts of the injections in the public scheme file of the same
    name (PyCOMPLETE/FillingPatterns, examples); the counts of all three interaction points agree with the name.
    """
    starts = [(112, 4), (452, 4), (824, 2), (1006, 4), (1346, 4), (1718, 2), (1900, 4), (2240, 4), (2612, 2)]
    starts += [(2794, 4), (3134, 4)]
    batches = [train for first, count in starts for train in injection(first, count)]
    name = "25ns_2760b_2748_2492_2574_288bpi_13inj_800ns_bs200ns"
    scheme = from_trains(name, [Train(26, 12), Train(69, 12), *batches], [Train(14, 12), Train(69, 12), *batches])
    _check_name(scheme, None)
    return scheme


def read_filling_scheme(path: str | Path) -> FillingScheme:
    """Read a filling scheme: JSON as the LHC programme coordination (LPC) publishes it, or CSV.

    Of JSON, newer files hold the masks as `schemebeam1` and `schemebeam2` (their `beam1` and `beam2`, if any, are
    something else); older ones hold them as `beam1` and `beam2`. Masks are lists of 3564 zeros and ones. LPC's answer
    for one fill (`fills`: number: `csv`) holds the scheme as CSV. Of CSV, see `l1emu.stream.filling_csv`.

    Where the name of the scheme (which the file states, else the file's own name) tells the number of bunches and of
    collisions in IP1 and IP5, the masks must agree with it.

    Raises
    ------
    L1emuError
        if the file is neither, has no masks of 3564 zeros and ones or no lists of RF buckets, fills the abort gap or
        contradicts its name or its own counts.
    """
    file = Path(path)
    text = read_text(file)
    if not text.lstrip("\ufeff \t\n").startswith(("{", "[")):
        return _from_csv(file, text)
    try:
        data = parse_json(text)
    except L1emuError as error:
        raise error.within(file) from None
    if not isinstance(data, dict):
        raise L1emuError("not a filling scheme", path=file, expected="an object with schemebeam1 and schemebeam2")
    if "fills" in data and "beam1" not in data:
        return _of_fill(file, data["fills"])
    newer = "schemebeam1" in data or "schemebeam2" in data
    keys = ("schemebeam1", "schemebeam2") if newer else ("beam1", "beam2")
    masks = [_read_mask(file, key, data) for key in keys]
    return _scheme(file, data.get("schemeName", file.stem), masks[0], masks[1])


def _scheme(file: Path, name: Any, beam1: Mask, beam2: Mask) -> FillingScheme:
    if not isinstance(name, str):
        raise L1emuError("not a name", path=file, where="schemeName", value=name, expected="text")
    try:
        scheme = FillingScheme(name, beam1, beam2)
    except L1emuError as error:
        raise error.within(file) from None
    _check_name(scheme, file)
    return scheme


def _of_fill(file: Path, fills: Any) -> FillingScheme:
    """The scheme of LPC's answer for a fill, which holds it as CSV."""
    if not isinstance(fills, dict) or len(fills) != 1 or not isinstance(next(iter(fills.values())), dict):
        raise L1emuError("not one fill", path=file, where="fills", expected="the number of a fill with its `csv`")
    fill = next(iter(fills.values()))
    if not isinstance(fill.get("csv"), str):
        raise L1emuError("the fill has no scheme", path=file, where="fills", expected="`csv`, the scheme as text")
    return _from_csv(file, fill["csv"], fill.get("name"))


def _from_csv(file: Path, text: str, name: Any = None) -> FillingScheme:
    found = read_csv(file, text)
    masks = [np.zeros(ORBIT_SLOTS, np.bool_) for _ in range(2)]
    for mask, slots in zip(masks, found.slots, strict=True):
        mask[slots] = True
    scheme = _scheme(file, found.name or name or file.stem, *masks)
    have = {
        "B1 n. bunches": scheme.bunches(1),
        "B2 n. bunches": scheme.bunches(2),
        **{f"collisions in {point}": number for point, number in scheme.collisions.items()},
    }
    for key, stated in found.counts.items():
        if have[key] != stated:
            raise L1emuError(
                f"the filled buckets contradict the file's own count: {key}",
                path=file,
                value=have[key],
                expected=str(stated),
            )
    return scheme


def _read_mask(file: Path, key: str, data: dict[str, Any]) -> Mask:
    if key not in data:
        raise L1emuError("a mask is missing", path=file, where=key, expected="schemebeam1/2, or beam1/2 in older files")
    values = data[key]
    if not isinstance(values, list) or len(values) != ORBIT_SLOTS:
        size = f"{len(values)} entries" if isinstance(values, list) else type(values).__name__
        raise L1emuError("not a mask", path=file, where=key, value=size, expected=f"a list of {ORBIT_SLOTS} 0 or 1")
    for slot, value in enumerate(values):
        if not isinstance(value, int | float) or value not in (0, 1):
            raise L1emuError("not 0 or 1", path=file, where=f"{key}, slot {slot}", value=value)
    return np.asarray(values, dtype=np.bool_)


def _check_name(scheme: FillingScheme, file: Path | None) -> None:
    match = _NAME.search(scheme.name)
    if match is None:
        return
    found = {"bunches": max(scheme.bunches(1), scheme.bunches(2)), "ip15": scheme.collisions["IP1/5"]}
    words = {"bunches": "bunches in a beam", "ip15": "collisions in IP1 and IP5"}
    for key, number in found.items():
        if number != int(match[key]):
            raise L1emuError(
                f"the masks contradict the name {scheme.name}: {words[key]}",
                path=file,
                value=number,
                expected=match[key],
            )
