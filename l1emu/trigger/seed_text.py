"""A seed in words, for tables and for those who check a menu."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from l1emu.trigger.conditions import Between, HtCondition, JetCondition, SumCut
from l1emu.trigger.legs import Cuts, Leg, ObjectCuts
from l1emu.trigger.open_numbers import Conditions
from l1emu.trigger.seed_checks import lower_bound, upper_bound


def described(seed: Conditions, references: Mapping[str, Sequence[str]]) -> str:
    """The seed in words, with T for the threshold; `references` are its `any`, `all` and `not`."""
    parts = _part(seed.legs, seed.sums, seed.between)
    if seed.jets is not None:
        parts.append(_jets(seed.jets))
    if seed.ht is not None:
        parts.append(_ht(seed.ht))
    for key, word in (("any", "any of"), ("all", "all of"), ("not", "none of")):
        if key in references:
            parts.append(f"{word} {', '.join(references[key])}")
    parts += [f"not ({' and '.join(_part(v.legs, v.sums, v.between))})" for v in seed.veto]
    return " and ".join(parts)


def _jets(jets: JetCondition) -> str:
    noun = "jet" if jets.count == 1 else "jets"
    text = f"{jets.count} {noun} with pt ≥ {_shown(jets.pt_min_gev)} GeV, |η| < {jets.abs_eta_max:g}"
    for tag in jets.tags:
        text += f", {tag.count} of them with {tag.score} ≥ {_shown(tag.minimum)}"
    return text


def _ht(ht: HtCondition) -> str:
    return f"HT ≥ {_shown(ht.min_gev)} GeV of jets with pt ≥ {ht.jet_pt_min_gev:g} GeV, |η| < {ht.abs_eta_max:g}"


def _part(legs: Sequence[Leg], sums: Mapping[str, SumCut], between: Sequence[Between]) -> list[str]:
    parts = [_leg(leg) for leg in legs]
    parts += [_bounds(name, lower_bound(cut), upper_bound(cut), _sum_unit(cut)) for name, cut in sums.items()]
    return parts + [_entry(entry) for entry in between]


def _sum_unit(cut: SumCut) -> str:
    return " GeV" if cut.min is None and cut.max is None else ""


def _leg(leg: Leg) -> str:
    text = f"{leg.count} {leg.object if leg.count > 1 else leg.object.removesuffix('s')}"
    cuts = _cuts(leg)
    if cuts:
        text += " with " + ", ".join(cuts)
    for neighbour in leg.without:
        inside = "".join(f", {cut}" for cut in _cuts(neighbour))
        text += f", no {neighbour.object.removesuffix('s')} within ΔR ≤ {neighbour.delta_r_max:g}{inside}"
    return text


def _cuts(cuts: ObjectCuts) -> list[str]:
    found = _common(cuts) + [f"{score} ≥ {_shown(minimum)}" for score, minimum in cuts.scores.items()]
    if cuts.either:
        found.append("either " + " or ".join(f"({' and '.join(_common(alternative))})" for alternative in cuts.either))
    return found


def _common(cuts: Cuts) -> list[str]:
    pt = "offline pt" if cuts.offline else "pt"
    found = [_bounds(pt, cuts.pt_min_gev, cuts.pt_max_gev, " GeV")]
    found += [_windows(pt, cuts.pt_gev, " GeV")]
    found += [f"|η| < {_shown(cuts.abs_eta_max)}"] if cuts.abs_eta_max is not None else []
    found += [_windows("|η|", cuts.abs_eta, ""), _windows("η", cuts.eta, ""), _windows("φ", cuts.phi, "")]
    found += [_bounds("quality", cuts.quality_min, None, "")]
    found += [f"quality in {', '.join(map(str, cuts.quality))}"] if cuts.quality else []
    found += [_bounds("isolation", cuts.isolation_min, cuts.isolation_max, "")]
    found += [f"charge {'+' if cuts.charge > 0 else '−'}"] if cuts.charge is not None else []
    for name, cut in cuts.fields.items():
        found.append(_bounds(name, cut.min, cut.max, ""))
        found += [f"{name} in {', '.join(f'{v:g}' for v in cut.in_)}"] if cut.in_ else []
    return [text for text in found if text]


def _entry(entry: Between) -> str:
    found = [
        _bounds("ΔR", entry.delta_r_min, entry.delta_r_max, ""),
        _bounds("Δη", entry.delta_eta_min, entry.delta_eta_max, ""),
        _bounds("Δφ", entry.delta_phi_min, entry.delta_phi_max, ""),
        _window("mass", entry.mass_gev),
        _window("transverse mass", entry.transverse_mass_gev),
        _bounds("Δz", None, entry.delta_z_max_cm, " cm"),
        "opposite charge" if entry.opposite_charge else "",
        "same charge" if entry.same_charge else "",
    ]
    return f"legs {', '.join(map(str, entry.legs))}: {', '.join(text for text in found if text)}"


def _bounds(name: str, low: float | str | None, high: float | str | None, unit: str) -> str:
    if low is None:
        return "" if high is None else f"{name} ≤ {_shown(high)}{unit}"
    return f"{name} ≥ {_shown(low)}{unit}" if high is None else f"{_shown(low)} ≤ {name} ≤ {_shown(high)}{unit}"


def _window(name: str, window: Sequence[float | str] | None) -> str:
    return "" if window is None else _bounds(name, window[0], window[1], " GeV")


def _windows(name: str, windows: Sequence[Sequence[float]] | None, unit: str) -> str:
    return " or ".join(_bounds(name, low, high, unit) for low, high in windows or [])


def _shown(value: float | str) -> str:
    return "T" if isinstance(value, str) else f"{value:g}"
