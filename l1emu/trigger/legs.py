"""What a seed asks of one object: cuts on its numbers, and objects near it that it must not have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from l1emu.config import Config

OPEN = "threshold"
"""What a seed says in the place of the number that is scanned."""

Threshold = Literal["threshold"]
Gev = Annotated[float, Field(ge=0, le=10_000)]
Score = Annotated[float, Field(ge=0, le=1)]
AbsEta = Annotated[float, Field(gt=0, le=6)]
OpenableNumber = Annotated[float, Field(ge=-1e9, le=1e9)]
Window = Annotated[list[OpenableNumber], Field(min_length=2, max_length=2)]
Windows = Annotated[list[Window], Field(min_length=1, max_length=16)]
Word = Annotated[str, Field(min_length=1)]


class FieldBounds(Config):
    """What is asked of a field by name: bounds that are included, or one of some numbers."""

    min: OpenableNumber | Threshold | None = None
    max: OpenableNumber | Threshold | None = None
    in_: list[OpenableNumber] | None = Field(default=None, alias="in", min_length=1, max_length=64)


class Cuts(Config):
    """Cuts on the numbers of one object; all must hold, and a number that is missing holds none.

    Bounds are included, but |eta| is below `abs_eta_max`. Of windows, [lowest, highest], one has to hold. A window in
    phi counts modulo a full turn. `charge` is the sign that is wanted. With `offline`, cuts on pt are on the field
    `offline_pt`: the pt at which an offline selection would see the object.
    """

    pt_min_gev: Gev | Threshold | None = None
    pt_max_gev: Gev | Threshold | None = None
    pt_gev: Windows | None = None
    abs_eta_max: AbsEta | Threshold | None = None
    abs_eta: Windows | None = None
    eta: Windows | None = None
    phi: Windows | None = None
    quality_min: OpenableNumber | Threshold | None = None
    quality: list[Annotated[int, Field(ge=-1000, le=1000)]] | None = Field(default=None, min_length=1, max_length=64)
    isolation_min: OpenableNumber | Threshold | None = None
    isolation_max: OpenableNumber | Threshold | None = None
    charge: Literal[1, -1] | None = None
    fields: dict[Word, FieldBounds] = Field(default_factory=dict, max_length=16)
    offline: bool = False


class ObjectCuts(Cuts):
    """Cuts on one object of a collection; of those under `either`, one set must hold besides the others.

    Nothing under `either` is scanned.
    """

    object: Word
    scores: dict[Word, OpenableNumber | Threshold] = Field(default_factory=dict, max_length=16)
    either: list[Cuts] = Field(default_factory=list, max_length=8)


class Neighbour(ObjectCuts):
    """Objects that rule out another one within `delta_r_max` of them."""

    delta_r_max: Annotated[float, Field(ge=0, le=20)]


class Leg(ObjectCuts):
    """So many different objects of one collection, each of which fulfils the cuts and has no such neighbour."""

    count: int = Field(default=1, ge=1, le=16)
    without: list[Neighbour] = Field(default_factory=list, max_length=8)
