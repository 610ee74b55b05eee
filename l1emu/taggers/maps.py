"""The schema of a feature map: which numbers of which objects an input of a network is made of.

A number is made in this order: the field, or a constant; relative to the tagged object; looked up in a table, or
one-hot; the steps; times `scale` plus `offset`; clipped. What fails `when` is `otherwise`, and a place without an
object is `padding`. There is nothing else: a map is data, and no text of it is ever run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from l1emu.config import Config, load_config
from l1emu.errors import L1emuError
from l1emu.resources import resource

MapNumber = Annotated[float, Field(ge=-1e12, le=1e12)]
NameText = Annotated[str, Field(min_length=1, max_length=100)]


def _number(key: Any) -> Any:
    """A key of YAML is the text that was written."""
    try:
        return float(key) if isinstance(key, str) and len(key) < 40 else key
    except ValueError:
        return key


_Key = Annotated[MapNumber, BeforeValidator(_number)]

OBJECT, SUMS, EVENT = "object", "sums", "event"
"""What is no collection: the tagged object itself, the sums of its crossing, and a tagger of whole crossings."""

SHIPPED_MAPS = "data/taggers"
"""The folder of the maps that come with l1emu."""

PLAIN_STEPS = (
    "abs", "sqrt", "square", "log", "log2", "log10", "log1p", "tanh", "sin", "cos", "round", "floor", "wrap", "float32",
    "parity", "cms_log", "cms_dxy", "cms_delta_phi",
)  # fmt: skip

_MOST = 4096


class FeatureStep(Config):
    """A step: one of `PLAIN_STEPS`, or times `scale`, or plus `offset`, or into [low, high]; null is no end."""

    do: str | None = None
    scale: MapNumber | None = None
    offset: MapNumber | None = None
    clip: list[MapNumber | None] | None = Field(default=None, min_length=2, max_length=2)

    @model_validator(mode="before")
    @classmethod
    def _word(cls, data: Any) -> Any:
        word = data.get("do") if isinstance(data, dict) else data
        if isinstance(word, str) and word not in PLAIN_STEPS:
            raise ValueError(f"no step is called {word[:40]!r}; expected one of {', '.join(PLAIN_STEPS)}")
        return {"do": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _one(self) -> FeatureStep:
        if sum(value is not None for _, value in self) != 1:
            raise ValueError("a step does one thing; expected exactly one of scale, offset, clip")
        _check_clip(self.clip)
        return self


def _check_clip(clip: list[float | None] | None) -> None:
    if clip is not None and clip[0] is not None and clip[1] is not None and not clip[0] <= clip[1]:
        raise ValueError(f"nothing lies in {clip}; expected [low, high]")


class FieldCondition(Config):
    """What a field of an object must be: one of `in`, at least `min` and at most `max`."""

    field: NameText
    values: list[MapNumber] | None = Field(default=None, alias="in", min_length=1, max_length=_MOST)
    min: MapNumber | None = None
    max: MapNumber | None = None

    @model_validator(mode="after")
    def _something(self) -> FieldCondition:
        if self.values is None and self.min is None and self.max is None:
            raise ValueError(f"nothing is asked of {self.field!r}; expected in, min or max")
        return self


class Feature(Config):
    """One number of an object, or one for each value of `one_hot`.

    `relative` is of the tagged object: the field minus the object's (`difference`, `delta_phi` brought into
    [-pi, pi)), over the object's (`ratio`, or by a table of reciprocals `cms_ratio`), or the distance in eta and phi
    (`delta_r`, without a field). `to` is the object's field, where that has another name.
    """

    field: NameText | None = None
    value: MapNumber | None = None
    relative: Literal["difference", "delta_phi", "ratio", "delta_r", "cms_ratio"] | None = None
    to: NameText | None = None
    table: dict[_Key, MapNumber] | None = Field(default=None, min_length=1, max_length=_MOST)
    one_hot: list[MapNumber] | None = Field(default=None, min_length=1, max_length=256)
    steps: list[FeatureStep] = Field(default_factory=list, max_length=32)
    scale: MapNumber = 1.0
    offset: MapNumber = 0.0
    clip: list[MapNumber | None] | None = Field(default=None, min_length=2, max_length=2)
    when: list[FieldCondition] = Field(default_factory=list, max_length=32)
    otherwise: MapNumber = 0.0
    padding: MapNumber | None = None
    unit: str | None = Field(default=None, max_length=100)

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        return {"field": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _one_source(self) -> Feature:
        given = [self.field is not None, self.value is not None, self.relative == "delta_r"]
        if sum(given) != 1:
            raise ValueError("not one source of a number; expected exactly one of field, value, relative: delta_r")
        if self.to is not None and self.relative in (None, "delta_r"):
            raise ValueError(
                "`to` is a field of the tagged object; expected relative: difference, delta_phi, ratio or cms_ratio"
            )
        if self.relative is not None and self.value is not None:
            raise ValueError("a constant is relative to nothing; expected a field")
        if self.table is not None and self.one_hot is not None:
            raise ValueError("table and one_hot; expected one of them")
        if self.one_hot is not None and len(set(self.one_hot)) != len(self.one_hot):
            raise ValueError(f"one_hot has a value twice: {self.one_hot}; expected values that differ")
        _check_clip(self.clip)
        return self

    @property
    def width(self) -> int:
        """How many numbers it is."""
        return 1 if self.one_hot is None else len(self.one_hot)

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return self.field or self.relative or "value"

    def fields(self) -> Iterator[str]:
        """The fields of the member that it needs."""
        if self.relative == "delta_r":
            yield from ("eta", "phi")
        elif self.field is not None:
            yield self.field
        yield from (condition.field for condition in self.when)

    def object_fields(self) -> Iterator[str]:
        """The fields of the tagged object that it needs."""
        if self.relative == "delta_r":
            yield from ("eta", "phi")
        elif self.relative is not None and self.field is not None:
            yield self.to or self.field


class PairFeature(Config):
    """One number of two objects, times `scale` plus `offset`, clipped.

    `delta_eta`, `delta_phi` (into [-pi, pi)): the first minus the second. `log_delta_r`, `log_kt`, `log_z`, `log_m2`:
    natural logarithms of the distance R in eta and phi, of min(pt) R, of min(pt) / (pt1 + pt2), and of the squared mass
    2 pt1 pt2 (cosh delta_eta - cos delta_phi) of two objects without mass, each of 1e-8 at least (2202.03772, eq. 3).
    """

    pair: Literal["delta_eta", "delta_phi", "log_delta_r", "log_kt", "log_z", "log_m2"]
    scale: MapNumber = 1.0
    offset: MapNumber = 0.0
    clip: list[MapNumber | None] | None = Field(default=None, min_length=2, max_length=2)

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        return {"pair": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _checked(self) -> PairFeature:
        _check_clip(self.clip)
        return self

    def fields(self) -> tuple[str, ...]:
        """The fields of both objects that it needs."""
        angles = () if self.pair == "log_z" else ("eta", "phi")
        return (*angles, "pt") if self.pair in ("log_kt", "log_z", "log_m2") else angles


class MapPart(Config):
    """Objects, and the numbers of each; `of` is missing where the parts of an input tell it.

    Exactly one of `fields`, `mask` and `pairs`: numbers of each object, whether there is one, or numbers of every two.
    """

    of: NameText | None = None
    count: int | None = Field(default=None, ge=1, le=_MOST)
    order: NameText | None = None
    where: list[FieldCondition] = Field(default_factory=list, max_length=32)
    fields: list[Feature] | None = Field(default=None, min_length=1, max_length=_MOST)
    mask: Literal["filled", "empty"] | None = None
    pairs: list[PairFeature] | None = Field(default=None, min_length=1, max_length=256)
    padding: MapNumber = 0.0

    @property
    def features(self) -> tuple[Feature, ...]:
        """The numbers of an object; of a mask, what says whether there is one."""
        if self.mask is not None:
            filled = self.mask == "filled"
            return (Feature(value=float(filled), padding=float(not filled)),)
        return tuple(self.fields or ())

    @property
    def places(self) -> int:
        """For how many objects there is room."""
        return self.count or 1

    @property
    def width(self) -> int:
        """Numbers of each object."""
        return len(self.pairs) if self.pairs is not None else sum(feature.width for feature in self.features)

    def members_fields(self) -> Iterator[str]:
        """The fields of the members that it needs."""
        for feature in (*self.features, *(self.pairs or ())):
            yield from feature.fields()
        yield from (condition.field for condition in self.where)
        if self.order:
            yield self.order

    def _check_members(self) -> None:
        if self.of is None:
            raise ValueError("`of` is missing; expected a collection, `object` or `sums`")
        if sum(given is not None for given in (self.fields, self.mask, self.pairs)) != 1:
            raise ValueError(f"the input of {self.of!r} needs exactly one of fields, mask, pairs")
        alone = self.of in (OBJECT, SUMS)
        if alone and (self.count is not None or self.order is not None or self.where):
            raise ValueError(f"there is one {self.of!r}; expected no count, order or where")
        if alone and self.pairs is not None:
            raise ValueError(f"there is one {self.of!r}; expected pairs of a collection")
        if not alone and self.count is None:
            raise ValueError(f"how many of {self.of!r}? expected `count`")
        if self.of == SUMS and any(f.field is None or f.relative for f in self.features):
            raise ValueError("sums are numbers of a crossing; expected fields that name them")


class InputPart(MapPart):
    """Some of the objects that an input is made of."""

    @model_validator(mode="after")
    def _whole(self) -> InputPart:
        if self.pairs is not None:
            raise ValueError("pairs stand beside nothing else; expected an input of their own")
        self._check_members()
        return self


class FeatureMap(MapPart):
    """An input: the keys of one part, or several `parts` one after the other; how it is laid out and rounded.

    `layout` is `objects_first`, (objects, numbers), or `fields_first`, (numbers, objects). `precision` is what the
    numbers, computed in float64, are rounded to before the firmware casts them.
    """

    parts: list[InputPart] | None = Field(default=None, min_length=1, max_length=256)
    layout: Literal["objects_first", "fields_first"] = "objects_first"
    precision: Literal["float32", "float64"] = "float32"

    @model_validator(mode="after")
    def _parts_or_one(self) -> FeatureMap:
        if self.parts is None:
            self._check_members()
        else:
            for name, field in MapPart.model_fields.items():
                if getattr(self, name) != field.get_default(call_default_factory=True):
                    raise ValueError(f"{name!r} beside parts; expected it inside a part")
        if self.pairs is not None and self.layout == "fields_first":
            raise ValueError("pairs have their numbers last; expected objects_first")
        if self.layout == "fields_first" and len({part.width for part in self.blocks}) > 1:
            raise ValueError("parts of different widths cannot stand beside one another; expected objects_first")
        return self

    @property
    def blocks(self) -> tuple[MapPart, ...]:
        """The parts, of one at least."""
        return (self,) if self.parts is None else tuple(self.parts)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input: two axes, three of pairs, or one where parts have different numbers an object."""
        if self.pairs is not None:
            return (self.places, self.places, self.width)
        widths = {part.width for part in self.blocks}
        if len(widths) > 1:
            return (sum(part.places * part.width for part in self.blocks),)
        shape = (sum(part.places for part in self.blocks), *widths)
        return shape if self.layout == "objects_first" else shape[::-1]


def kind_of_inputs(data: Any) -> str:
    """Which form the inputs of a network have: a name, one map, or maps by input."""
    if isinstance(data, str):
        return "name"
    if isinstance(data, FeatureMap):
        return "map"
    keys = data.keys() if isinstance(data, dict) else set()
    one = {"of", "parts", "fields", "mask", "pairs", "count"} & keys
    return "map" if any(not isinstance(data[key], dict | FeatureMap) for key in one) else "maps"


Maps = Annotated[dict[NameText, FeatureMap], Field(min_length=1, max_length=64)]
Inputs = Annotated[
    Annotated[NameText, Tag("name")] | Annotated[FeatureMap, Tag("map")] | Annotated[Maps, Tag("maps")],
    Discriminator(kind_of_inputs),
]


class FeatureMapFile(Config):
    """A feature map in a file: what it is, where its definitions are from, and the inputs."""

    name: str = Field(min_length=1, max_length=200)
    source: str = Field(min_length=1, max_length=1000)
    inputs: Annotated[Annotated[FeatureMap, Tag("map")] | Annotated[Maps, Tag("maps")], Discriminator(kind_of_inputs)]


def shipped_maps() -> dict[str, Path]:
    """The feature maps that come with l1emu, by name."""
    return {file.stem: file for file in sorted(resource(SHIPPED_MAPS).glob("*.yaml"))}


def read_map(path: Path) -> tuple[str, FeatureMap | dict[str, FeatureMap]]:
    """The name of a feature map in a file, and its inputs.

    Raises
    ------
    L1emuError
        if the file is absent or does not fit the schema.
    """
    found = load_config(path, FeatureMapFile)
    if isinstance(found.inputs, FeatureMap | dict):
        return found.name, found.inputs
    raise L1emuError("not a feature map", path=path)
