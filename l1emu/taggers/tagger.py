"""A tagger of a study: read, checked against its firmware, and applied to the objects of crossings."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Floats
from l1emu.emulator import Emulator
from l1emu.emulator.quantize import quantize_into
from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.files import sha256_bytes
from l1emu.firmware import Firmware
from l1emu.layers import Tensor
from l1emu.notebook import Shown
from l1emu.taggers.columns import Tagged, check_there, fields_of
from l1emu.taggers.golden import GoldenComparison, compare_golden
from l1emu.taggers.inputs import NetworkInput
from l1emu.taggers.maps import EVENT, OBJECT, SUMS, FeatureMap, read_map, shipped_maps
from l1emu.taggers.score_cache import ScoreCache
from l1emu.taggers.scores import TaggerScore, make_score
from l1emu.taggers.settings import TaggerConfig

Resolve = Callable[[str], Path]


@dataclass(frozen=True)
class TaggerNeeds(Shown):
    """What a tagger needs of crossings.

    Attributes
    ----------
    objects
        The fields of each collection; those of a list inside an object, its constituents, are `constituents.FIELD`.
    sums
        NameList of sums.
    """

    objects: Mapping[str, tuple[str, ...]]
    sums: tuple[str, ...]

    def inside(self, collection: str, nested: str) -> tuple[str, ...]:
        """The fields of the lists `nested` inside the objects of a collection; none if they are not needed."""
        before = f"{nested}."
        fields = self.objects.get(collection, ())
        return tuple(name.removeprefix(before) for name in fields if name.startswith(before))


@dataclass(eq=False)
class EmulatedTagger(Shown):
    """An emulated network, what it looks at, and the scores that it gives; made by `read_tagger`.

    Attributes
    ----------
    name
        As in the study.
    of
        The collection whose objects it tags, or `event`.
    path
        The firmware's file, or the project's folder.
    golden
        The file of golden vectors; None if there are none.
    emulator
        Of the firmware.
    inputs, outputs, scores
        How the inputs are filled, the names of the numbers of each output, and the scores by name.
    feature_map
        The name that the file of the inputs' maps gives itself; empty where the study gives them.
    emulated, from_cache
        Objects, or crossings, that were scored in all calls of `apply`, and how many of them had been emulated before:
        their outputs came from the disk, see `l1emu.taggers.score_cache`.
    seconds
        Wall time of the emulation of the others alone, compilation included.
    """

    name: str
    of: str
    path: Path
    golden: Path | None
    emulator: Emulator
    inputs: tuple[NetworkInput, ...]
    outputs: Mapping[str, tuple[str, ...]]
    scores: Mapping[str, TaggerScore]
    feature_map: str = ""
    emulated: int = field(default=0, init=False)
    from_cache: int = field(default=0, init=False)
    seconds: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._cache = ScoreCache(self.emulator)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{i.tensor.name} {i.tensor.shape}" for i in self.inputs)
        return f"<Tagger {self.name}: {shapes} of {self.of} to {', '.join(self.scores)}>"

    @property
    def jets_per_second(self) -> float:
        """Of what was emulated in this run; 0 if nothing was."""
        return (self.emulated - self.from_cache) / self.seconds if self.seconds > 0 else 0.0

    @property
    def needs(self) -> TaggerNeeds:
        """What it needs of crossings."""
        objects: dict[str, dict[str, None]] = {} if self.of == EVENT else {self.of: {}}
        sums: dict[str, None] = {}
        for part in (part for one in self.inputs for part in one.map.blocks):
            of = part.of or ""
            fields = list(part.members_fields())
            if of == SUMS:
                sums |= dict.fromkeys(fields)
            elif self.of == EVENT:
                objects.setdefault(of, {}).update(dict.fromkeys(fields))
            else:
                inside = "" if of == OBJECT else f"{of}."
                objects[self.of] |= dict.fromkeys(f"{inside}{name}" for name in fields)
                objects[self.of] |= dict.fromkeys(name for f in part.features for name in f.object_fields())
        return TaggerNeeds({name: tuple(fields) for name, fields in objects.items()}, tuple(sums))

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The least and the greatest value that each score can have; infinite where that is not known."""
        return {name: score.range for name, score in self.scores.items()}

    @property
    def content_hash(self) -> str:
        """SHA-256 of all that decides the scores: firmware, feature maps, names of the outputs, and forms."""
        decides = {
            "firmware": self.emulator.firmware.content_hash,
            "of": self.of,
            "inputs": {one.tensor.name: one.map.model_dump(mode="json") for one in self.inputs},
            "outputs": {name: list(names) for name, names in self.outputs.items()},
            "scores": {name: score.form.model_dump(mode="json") for name, score in self.scores.items()},
        }
        return sha256_bytes(json.dumps(decides, sort_keys=True).encode())

    def check_minimum(self, score: str, minimum: float, where: str | None = None) -> None:
        """Check that a seed may ask for so much of a score; `where` names the seed in messages.

        Raises
        ------
        L1emuError
            if there is no such score, or it can never be so large, or is never so small.
        """
        if score not in self.scores:
            raise L1emuError(
                f"the tagger {self.name} has no such score",
                where=where,
                value=score,
                expected=f"one of {_text(self.scores)}",
            )
        low, high = self.scores[score].range
        if not low <= minimum <= high:
            raise L1emuError(
                f"a minimum outside the range of the score {score}",
                where=where,
                value=minimum,
                expected=f"{low:g} to {high:g}, what the tagger {self.name} can give",
            )

    def check(self, fields: Mapping[str, Collection[str]], sums: Collection[str] = ()) -> None:
        """Check that crossings with these have what the tagger needs, before any of them is read.

        Parameters
        ----------
        fields
            The fields of each collection, as in `TaggerNeeds.objects`.
        sums
            NameList of sums.

        Raises
        ------
        L1emuError
            naming what is missing, or the score whose name a field has already.
        """
        needs = self.needs
        where = f"tagger {self.name}"
        check_there(needs.objects, needs.sums, fields, sums, where)
        there = sums if self.of == EVENT else fields[self.of]
        for name in self.scores:
            if name in there:
                kind = "sum" if self.of == EVENT else f"field of {self.of}"
                raise L1emuError(f"a {kind} has the name of a score", where=where, value=name)

    def fill(self, data: EventData) -> dict[str, npt.NDArray[Any]]:
        """The inputs of the network, by their names: (objects, *shape), or (crossings, *shape).

        Raises
        ------
        L1emuError
            if something is missing, or a number cannot be made.
        """
        self.check(fields_of(data), tuple(data.sums))
        return self._filled(Tagged(data, self.of))

    def apply(self, data: EventData, drop: Sequence[str] = ()) -> EventData:
        """Emulate the network on every object, or crossing.

        Parameters
        ----------
        data
            The crossings.
        drop
            Fields of the tagged collection that are left out afterwards: `constituents`, once no tagger needs them.

        Returns
        -------
        The same crossings with the scores as fields of the collection, or as sums.

        Raises
        ------
        L1emuError
            as `fill` does.
        """
        self.check(fields_of(data), tuple(data.sums))
        tagged = Tagged(data, self.of)
        scores = self._scored(self._filled(tagged))
        if tagged.counts is None:
            return replace(data, sums={**data.sums, **scores})
        records = data.objects[self.of]
        kept = [name for name in records.fields if name not in drop]
        columns = {name: records[name] for name in kept}
        columns |= {name: ak.unflatten(values, tagged.counts) for name, values in scores.items()}
        return replace(data, objects={**data.objects, self.of: ak.zip(columns, depth_limit=2)})

    def check_golden(self) -> GoldenComparison | None:
        """The emulation compared with the golden vectors; None without any.

        Raises
        ------
        L1emuError
            as `compare_golden` does.
        """
        return None if self.golden is None else compare_golden(self.emulator, self.golden)

    def _filled(self, tagged: Tagged) -> dict[str, npt.NDArray[Any]]:
        made = {}
        for one in self.inputs:
            values = one.values(tagged)
            made[one.tensor.name] = values.reshape(len(values), *one.tensor.shape)
        return made

    def _scored(self, inputs: dict[str, npt.NDArray[Any]]) -> dict[str, Floats]:
        given, seconds = self._cache.outputs(inputs)
        size = len(next(iter(inputs.values())))
        self.emulated += size
        if seconds is None:
            self.from_cache += size
        else:
            self.seconds += seconds
        return self.scores_of(given, inputs)

    @property
    def inputs_of_scores(self) -> tuple[str, ...]:
        """Inputs of the network that scores are made of."""
        used = {name for score in self.scores.values() for name in score.form.names()}
        given = {name for names in self.outputs.values() for name in names}
        return tuple(t.name for t in self.emulator.firmware.inputs if t.name in used - given)

    def scores_of(
        self, given: Mapping[str, npt.NDArray[Any]], inputs: Mapping[str, npt.NDArray[Any]]
    ) -> dict[str, Floats]:
        """The scores by name, float64 (objects,), of what the network gave, and of `inputs_of_scores`; by tensor."""
        size = len(next(iter(given.values())))
        values: dict[str, Floats] = {}
        for tensor in self.emulator.firmware.outputs:
            flat, names = given[tensor.name].reshape(size, tensor.size), self.outputs[tensor.name]
            if len(names) == 1:
                values[names[0]] = flat
            else:
                values |= {name: flat[:, i : i + 1] for i, name in enumerate(names)}
        tensors = {tensor.name: tensor for tensor in self.emulator.firmware.inputs}
        values |= {name: _as_cast(inputs[name], tensors[name]) for name in self.inputs_of_scores}
        return {name: score.values(values) for name, score in self.scores.items()}


def read_tagger(name: str, settings: TaggerConfig, resolve: Resolve) -> EmulatedTagger:
    """Read a tagger's firmware, and check that its feature maps, outputs and scores fit it.

    Parameters
    ----------
    name
        As in the study.
    settings
        Of the tagger.
    resolve
        Gives the path of a file that the settings name, or raises.

    Raises
    ------
    L1emuError
        naming the tagger and what does not fit: the input, the shape that it wants and the one that the map gives; the
        number of outputs; the score and what it is made of.
    """
    path = resolve(settings.firmware)
    firmware = Firmware.read(path, unknown=settings.unknown)
    where = f"tagger {name}"
    golden = None if settings.golden is None else resolve(settings.golden)
    feature_map, maps = _maps_by_input(settings, firmware, resolve, where)
    inputs = tuple(NetworkInput(t, maps[t.name], f"{where}, input {t.name}") for t in firmware.inputs)
    for one in inputs:
        one.check(settings.of)
    outputs = _outputs(settings, firmware, where)
    emulator = Emulator(firmware, threads=settings.threads)
    bounds = _bounds(emulator, outputs)
    scores = {one: make_score(one, form, bounds, where) for one, form in settings.scores.items()}
    return EmulatedTagger(name, settings.of, path, golden, emulator, inputs, outputs, scores, feature_map)


def read_taggers(taggers: Mapping[str, TaggerConfig], resolve: Resolve) -> dict[str, EmulatedTagger]:
    """The taggers of a study by name, see `read_tagger`.

    Raises
    ------
    L1emuError
        as `read_tagger` does, or if two give one collection a score of one name.
    """
    owners: dict[tuple[str, str], str] = {}
    for name, settings in taggers.items():
        for score in settings.scores:
            other = owners.setdefault((settings.of, score), name)
            if other != name:
                raise L1emuError(
                    f"the tagger {other} gives {settings.of} a score of this name",
                    where=f"tagger {name}",
                    value=score,
                    expected="names that differ",
                )
    return {name: read_tagger(name, settings, resolve) for name, settings in taggers.items()}


def _maps_by_input(
    settings: TaggerConfig, firmware: Firmware, resolve: Resolve, where: str
) -> tuple[str, dict[str, FeatureMap]]:
    """The name of the maps' file, empty without one, and the map of each input."""
    given, called = settings.inputs, ""
    if isinstance(given, str):
        shipped = shipped_maps()
        try:
            called, given = read_map(shipped[given] if given in shipped else resolve(given))
        except L1emuError as error:
            if error.path is not None or given in shipped:
                raise
            raise L1emuError(
                "no such feature map",
                where=where,
                value=settings.inputs,
                expected=f"{', '.join(shipped)}, or the file of a map",
            ) from None
    names = [tensor.name for tensor in firmware.inputs]
    if isinstance(given, FeatureMap):
        if len(names) > 1:
            raise L1emuError(
                "one feature map for several inputs", where=where, expected=f"one for each of {_text(names)}"
            )
        return called, {names[0]: given}
    if sorted(given) != sorted(names):
        raise L1emuError(
            "the maps are not those of the firmware's inputs", where=where, value=_text(given), expected=_text(names)
        )
    return called, given


def _outputs(settings: TaggerConfig, firmware: Firmware, where: str) -> dict[str, tuple[str, ...]]:
    """The names of the numbers of each output; one name for a vector."""
    tensors = firmware.outputs
    given = settings.outputs
    shapes = _text([f"{t.name} {t.shape}" for t in tensors])
    sizes = [t.size for t in tensors]
    if isinstance(given, list):
        if len(given) == len(tensors):
            named: dict[str, tuple[str, ...]] = {t.name: (name,) for t, name in zip(tensors, given, strict=True)}
        elif len(given) == sum(sizes):
            ends = np.cumsum(sizes).tolist()
            named = {t.name: tuple(given[end - t.size : end]) for t, end in zip(tensors, ends, strict=True)}
        else:
            raise L1emuError(
                f"{len(given)} names for the outputs of the firmware",
                where=where,
                value=given,
                expected=f"{sum(sizes)}, one for each number, or {len(tensors)}, one for each output: {shapes}",
            )
    else:
        if sorted(given) != sorted(t.name for t in tensors):
            raise L1emuError(
                "the outputs are not those of the firmware", where=where, value=_text(given), expected=shapes
            )
        named = {t.name: tuple(given[t.name]) for t in tensors}
        for tensor in tensors:
            if len(named[tensor.name]) not in (1, tensor.size):
                raise L1emuError(
                    f"{len(named[tensor.name])} names for an output of {tensor.size} numbers",
                    where=f"{where}, output {tensor.name}",
                    expected=f"{tensor.size}, or one for all",
                )
    both = next((t.name for t in firmware.inputs if any(t.name in names for names in named.values())), None)
    if both is not None:
        raise L1emuError("an output has the name of an input", where=where, value=both, expected="names that differ")
    return named


def _bounds(
    emulator: Emulator, outputs: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """The proven ends of every output, and those of the inputs' types, by name."""
    found = {}
    for tensor in emulator.firmware.outputs:
        interval = emulator.ranges.tensors[tensor.name]
        low, high = (
            tensor.type.to_float(np.broadcast_to(end, tensor.shape).reshape(-1))
            for end in (interval.low, interval.high)
        )
        names = outputs[tensor.name]
        if len(names) == 1:
            found[names[0]] = (low, high)
        else:
            found |= {name: (low[i : i + 1], high[i : i + 1]) for i, name in enumerate(names)}
    for tensor in emulator.firmware.inputs:
        ends = tensor.type.to_float(np.array([tensor.type.low, tensor.type.high], dtype=object))
        found[tensor.name] = (np.full(tensor.size, ends[0]), np.full(tensor.size, ends[1]))
    return found


def _as_cast(values: npt.NDArray[Any], tensor: Tensor) -> Floats:
    """An input as the firmware has it, after its cast, (objects, numbers)."""
    flat = np.ascontiguousarray(values.reshape(len(values), tensor.size))
    raw = np.empty(flat.shape, np.int64)
    quantize_into(flat, raw, 0, tensor.type)
    return tensor.type.to_float(raw)


def _text(names: Iterable[str]) -> str:
    return ", ".join(names)
