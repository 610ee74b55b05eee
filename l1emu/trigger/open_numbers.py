"""The numbers of a seed that are scanned: where they stand, what they are, and which way they cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from l1emu.trigger.conditions import Between, HtCondition, JetCondition, SumCut, Veto
from l1emu.trigger.legs import OPEN, Leg, ObjectCuts


class Conditions(Protocol):
    """A seed, as far as its conditions go."""

    @property
    def legs(self) -> list[Leg]: ...
    @property
    def sums(self) -> dict[str, SumCut]: ...
    @property
    def between(self) -> list[Between]: ...
    @property
    def veto(self) -> list[Veto]: ...
    @property
    def jets(self) -> JetCondition | None: ...
    @property
    def ht(self) -> HtCondition | None: ...


@dataclass(frozen=True)
class OpenNumber:
    """A number that says `threshold`.

    Attributes
    ----------
    place
        Its keys in the seed, with dots.
    key
        What has to be alike for two of them to be the same number.
    label, unit
        What it is of, and its unit: a text for axes.
    upper
        Whether what is above it is refused, so that a higher threshold accepts more.
    """

    place: str
    key: str
    label: str
    unit: str
    upper: bool


_OF_OBJECT = {
    "pt_min_gev": ("pt", "GeV", False),
    "pt_max_gev": ("pt", "GeV", True),
    "abs_eta_max": ("|η|", "", True),
    "quality_min": ("quality", "", False),
    "isolation_min": ("isolation", "", False),
    "isolation_max": ("isolation", "", True),
}
_OF_PAIR = {
    "delta_r_min": ("ΔR", "", False),
    "delta_r_max": ("ΔR", "", True),
    "delta_eta_min": ("Δη", "", False),
    "delta_eta_max": ("Δη", "", True),
    "delta_phi_min": ("Δφ", "rad", False),
    "delta_phi_max": ("Δφ", "rad", True),
    "delta_z_max_cm": ("Δz", "cm", True),
}
_WINDOWS = {"mass_gev": "mass", "transverse_mass_gev": "transverse mass"}


def open_numbers(seed: Conditions) -> list[OpenNumber]:
    """All numbers of a seed that say `threshold`, in the order in which they are written."""
    found: list[OpenNumber] = []
    if seed.jets is not None:
        if seed.jets.pt_min_gev == OPEN:
            found.append(OpenNumber("jets.pt_min_gev", "pt_min_gev", "jet pt", "GeV", False))
        for i, tag in enumerate(seed.jets.tags):
            if tag.minimum == OPEN:
                place = f"jets.tags.{i}.minimum"
                found.append(OpenNumber(place, f"scores.{tag.score}", f"{tag.score} score", "", False))
    if seed.ht is not None and seed.ht.min_gev == OPEN:
        found.append(OpenNumber("ht.min_gev", "ht", "HT", "GeV", False))
    found += _of_part(seed.legs, seed.sums, seed.between, "")
    for i, veto in enumerate(seed.veto):
        found += _of_part(veto.legs, veto.sums, veto.between, f"veto.{i}.")
    return found


def _of_part(legs: list[Leg], sums: dict[str, SumCut], between: list[Between], before: str) -> Iterator[OpenNumber]:
    for i, leg in enumerate(legs):
        yield from _of_object(leg, f"{before}legs.{i}.")
        for j, neighbour in enumerate(leg.without):
            yield from _of_object(neighbour, f"{before}legs.{i}.without.{j}.")
    for name, cut in sums.items():
        for key in ("min_gev", "min", "max_gev", "max"):
            if getattr(cut, key) == OPEN:
                unit = "GeV" if key.endswith("gev") else ""
                place, upper = f"{before}sums.{name}.{key}", key.startswith("max")
                yield OpenNumber(place, f"sums.{name}.{key}", name, unit, upper)
    for i, entry in enumerate(between):
        yield from _of_entry(entry, f"{before}between.{i}.")


def _of_object(cuts: ObjectCuts, before: str) -> Iterator[OpenNumber]:
    noun = cuts.object.removesuffix("s")
    for key, (label, unit, upper) in _OF_OBJECT.items():
        if getattr(cuts, key) == OPEN:
            yield OpenNumber(f"{before}{key}", key, f"{noun} {label}", unit, upper)
    for score, minimum in cuts.scores.items():
        if minimum == OPEN:
            yield OpenNumber(f"{before}scores.{score}", f"scores.{score}", f"{score} score", "", False)
    for name, cut in cuts.fields.items():
        for key in ("min", "max"):
            if getattr(cut, key) == OPEN:
                same = f"fields.{name}.{key}"
                yield OpenNumber(f"{before}{same}", same, f"{noun} {name}", "", key == "max")


def _of_entry(entry: Between, before: str) -> Iterator[OpenNumber]:
    for key, (label, unit, upper) in _OF_PAIR.items():
        if getattr(entry, key) == OPEN:
            yield OpenNumber(f"{before}{key}", key, label, unit, upper)
    for key, label in _WINDOWS.items():
        for end, number in enumerate(getattr(entry, key) or []):
            if number == OPEN:
                yield OpenNumber(f"{before}{key}.{end}", f"{key}.{end}", label, "GeV", end == 1)


_Node = TypeVar("_Node", bound=BaseModel)
_CUTS = {
    "min",
    "max",
    "minimum",
    "scores",
    "mass_gev",
    "transverse_mass_gev",
    "min_gev",
    *_OF_OBJECT,
    *_OF_PAIR,
    "max_gev",
}
_INSIDE = {"legs", "sums", "between", "veto", "jets", "ht", "tags", "fields", "without"}


def with_threshold(node: _Node, threshold: float) -> _Node:
    """A seed, or a part of one, with this number wherever it says `threshold`."""
    changed = {key: _closed(value, threshold) for key, value in node if key in _CUTS or key in _INSIDE}
    return node.model_copy(update=changed)


def _closed(value: Any, threshold: float) -> Any:
    if isinstance(value, BaseModel):
        return with_threshold(value, threshold)
    if isinstance(value, list):
        return [_closed(inside, threshold) for inside in value]
    if isinstance(value, dict):
        return {key: _closed(inside, threshold) for key, inside in value.items()}
    return threshold if value == OPEN else value
