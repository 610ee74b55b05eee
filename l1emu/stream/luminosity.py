"""The beam as data: filling scheme, pile-up of each bunch, luminosity levelling."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field

from l1emu.config import Config, load_config
from l1emu.errors import L1emuError
from l1emu.latency.limits import LARGEST_SEED
from l1emu.stream.beam import ORBIT_SLOTS, FillingScheme, Train, from_trains, hl_lhc, injection, read_filling_scheme


class Injection(Config):
    """Batches of bunches from the SPS: their first slots `spacing` apart."""

    first_slot: int = Field(ge=0, lt=ORBIT_SLOTS)
    batches: int = Field(default=1, ge=1, le=ORBIT_SLOTS)
    bunches: int = Field(default=72, ge=1, le=ORBIT_SLOTS)
    spacing: int = Field(default=79, ge=1, le=ORBIT_SLOTS)


class Filling(Config):
    """A filling scheme from its injections; beam 2 is like beam 1 unless it is given."""

    name: str = Field(min_length=1)
    beam1: list[Injection] = Field(min_length=1)
    beam2: list[Injection] | None = None


class Levelling(Config):
    """Luminosity levelling: the pile-up is held until the beams could give no more of it.

    The pile-up that they could give without levelling falls from `virtual_pileup` at the start of the fill as
    exp(-t / `lifetime_hours`); the beam is looked at `hours` after that start.
    """

    virtual_pileup: float = Field(ge=0.001, le=1000)
    lifetime_hours: float = Field(ge=0.01, le=1000)
    hours: float = Field(ge=0, le=1000)


class SimulatedBeam(Config):
    """The beam of a simulation.

    `filling` is a scheme from its injections, the path of a JSON file, relative to this one, or absent for the standard
    HL-LHC scheme. `pileup` is the mean number of interactions of a crossing. `bunch_spread` is the relative standard
    deviation of that mean from bunch to bunch, the same in every orbit, drawn with `bunch_seed`.
    """

    filling: Filling | str | None = None
    pileup: float = Field(ge=0.001, le=1000)
    bunch_spread: float = Field(default=0.0, ge=0, le=0.5)
    bunch_seed: int = Field(default=1, ge=0, le=LARGEST_SEED)
    levelling: Levelling | None = None


@dataclass(frozen=True, eq=False)
class Beam:
    """A filling scheme and the mean pile-up of each slot relative to the nominal one, float64, shape (3564,)."""

    filling: FillingScheme
    pileup: float | None = None
    relative_pileup: npt.NDArray[np.float64] | None = None

    @property
    def mean_pileup(self) -> float | None:
        """Mean interactions of a colliding crossing now."""
        if self.pileup is None:
            return None
        if self.relative_pileup is None:
            return self.pileup
        return self.pileup * float(self.relative_pileup[self.filling.colliding_slots].mean())


def _beam_of(settings: SimulatedBeam, base: Path) -> Beam:
    """The beam that settings describe; paths in them are relative to `base`.

    Raises
    ------
    L1emuError
        if the filling scheme cannot be read or is none.
    """
    filling = settings.filling
    if filling is None:
        scheme = hl_lhc()
    elif isinstance(filling, str):
        scheme = read_filling_scheme(base / filling)
    else:
        second = None if filling.beam2 is None else _trains(filling.beam2)
        scheme = from_trains(filling.name, _trains(filling.beam1), second)
    now = 1.0
    levelling = settings.levelling
    if levelling is not None:
        possible = levelling.virtual_pileup * math.exp(-levelling.hours / levelling.lifetime_hours)
        now = min(1.0, possible / settings.pileup)
    spread = np.random.default_rng(settings.bunch_seed).standard_normal(ORBIT_SLOTS) * settings.bunch_spread
    return Beam(scheme, settings.pileup, np.maximum(now * (1 + spread), 0.0))


def read_beam(path: str | Path) -> Beam:
    """Read a beam from YAML, see `SimulatedBeam`.

    Raises
    ------
    L1emuError
        at the first unknown, missing or wrong key, or if the filling scheme is none.
    """
    file = Path(path)
    settings = load_config(file, SimulatedBeam)
    try:
        return _beam_of(settings, file.parent)
    except L1emuError as error:
        if error.path is not None:
            raise
        raise L1emuError(
            error.message, path=file, where=error.where, value=error.value, expected=error.expected
        ) from None


def _trains(injections: list[Injection]) -> list[Train]:
    return [
        train for i in injections for train in injection(i.first_slot, i.batches, bunches=i.bunches, spacing=i.spacing)
    ]
