"""What can be said of an object, of a field and of a sum; every class is a part of a YAML config."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from l1emu.config import Config

FileUnit = Literal["GeV", "MeV", "TeV", "rad", "mrad", "deg", "cm", "mm", "um", "m"]

FieldName = Annotated[str, Field(min_length=1, max_length=500)]
_Real = Annotated[float, Field(ge=-1e12, le=1e12)]

_ENERGIES, _ANGLES = ("GeV", "MeV", "TeV"), ("rad", "mrad", "deg")
_KINDS = {"pt": _ENERGIES, "phi": _ANGLES, "eta": ()}


class FieldCut(Config):
    """What the numbers of a field must be: at least `min`, at most `max`, one of `in`. NaN is nothing of it."""

    min: _Real | None = None
    max: _Real | None = None
    among: Annotated[list[_Real] | None, Field(alias="in", min_length=1)] = None

    @model_validator(mode="after")
    def _says_something(self) -> FieldCut:
        if self.min is None and self.max is None and self.among is None:
            raise ValueError("a cut on nothing: min, max or in")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("a cut that nothing passes: min is above max")
        return self


class FieldSource(Config):
    """Where a field comes from: `field`, a member of the object's collection, or `branch`, a whole name of the file.

    The file's numbers become `number * scale + offset`, in `unit`; what comes out is in GeV, rad and cm. A text alone
    is a `field`.
    """

    field: FieldName | None = None
    branch: FieldName | None = None
    tree: FieldName | None = None
    unit: FileUnit | None = None
    scale: _Real = 1.0
    offset: _Real = 0.0

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: Any) -> Any:
        return {"field": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _names_one(self) -> FieldSource:
        if (self.field is None) == (self.branch is None):
            raise ValueError("either field, a member of the collection, or branch, a whole name")
        if self.scale == 0:
            raise ValueError("a scale of 0 makes all numbers one")
        return self


class CollectionMap(Config):
    """One kind of objects: every key besides the three of the class is a field, by the name that a menu uses.

    Attributes
    ----------
    collection
        The table, record or object that the members lie in: `L1puppiJetSC4` of `L1puppiJetSC4_pt`.
    tree
        The tree of a ROOT file, `FOLDER/TREE`.
    where
        Cuts on reading, by field of the map or member of the collection; other objects are left out.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, FieldSource]

    collection: FieldName | None = None
    tree: FieldName | None = None
    where: dict[FieldName, FieldCut] = Field(default_factory=dict)

    @property
    def fields(self) -> dict[str, FieldSource]:
        """Field -> where it comes from."""
        return dict(self.__pydantic_extra__)

    def source(self, name: str) -> FieldSource:
        """Where a field comes from: as the map says, else the member of that name."""
        return self.__pydantic_extra__.get(name) or FieldSource(field=name)

    @model_validator(mode="after")
    def _has_fields(self) -> CollectionMap:
        for name in self.__pydantic_extra__:
            if not name:
                raise ValueError("a field without a name")
            close = difflib.get_close_matches(name, ("collection", "where"), 1, 0.8)
            if close:
                raise ValueError(f"unknown key {name!r}; did you mean {close[0]!r}?")
        if not self.__pydantic_extra__:
            raise ValueError("no field is mapped, such as `pt: pt`")
        for name, source in self.__pydantic_extra__.items():
            units = _KINDS.get(name)
            if units is not None and source.unit is not None and source.unit not in units:
                raise ValueError(f"{name} in {source.unit}; its unit is {', '.join(units) or 'none'}")
        return self


class ObjectsMap(Config):
    """The objects of a study by name, each a `CollectionMap`, beside those of the map `like`.

    A text alone is `like`: the name of a map that comes with l1emu, or a YAML file of one.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, CollectionMap]

    like: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: Any) -> Any:
        return {"like": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _has_objects(self) -> ObjectsMap:
        if self.like is None and not self.__pydantic_extra__:
            raise ValueError("no objects: collections by name, or `like`, a map that has some")
        return self

    @property
    def own(self) -> dict[str, CollectionMap]:
        """The collections that stand here, not in `like`."""
        return dict(self.__pydantic_extra__)


class SumMap(Config):
    """A sum of a crossing: over objects (`of`), or a number of the file (`branch`, or `collection` and `field`).

    Attributes
    ----------
    of, vector
        The objects whose pt is summed; as vectors, the sum is the missing one: minus the sum, with pt and phi.
    pt_min_gev, abs_eta_max
        Objects of this pt and more, and below this abs(eta), are summed.
    where
        Cuts on fields of the objects; of a number of the file, cuts on what stands beside it in its list.
    branch, collection, field, tree, unit, scale, offset
        As in `FieldSource` and `CollectionMap`.
    phi
        The azimuth beside a number of the file: the sum is a collection of one object, too.
    index
        Which entry of a list it is, from 0, of those that pass `where`.
    """

    of: FieldName | None = None
    vector: bool = False
    pt_min_gev: Annotated[float | None, Field(ge=0, le=1e6)] = None
    abs_eta_max: Annotated[float | None, Field(gt=0, le=100)] = None
    where: dict[FieldName, FieldCut] = Field(default_factory=dict)
    branch: FieldName | None = None
    collection: FieldName | None = None
    field: FieldName | None = None
    tree: FieldName | None = None
    phi: FieldSource | None = None
    index: Annotated[int | None, Field(ge=0, lt=1 << 20)] = None
    unit: FileUnit | None = None
    scale: _Real = 1.0
    offset: _Real = 0.0

    @model_validator(mode="after")
    def _one_form(self) -> SumMap:
        ways = [self.of is not None, self.branch is not None, self.field is not None]
        if sum(ways) != 1:
            raise ValueError("either of, the objects that are summed, or branch or field, a number of the file")
        given = self.model_fields_set
        other = _OF_FILE if self.of is not None else _OF_OBJECTS
        wrong = sorted(given & set(other))
        if wrong:
            beside = "of" if self.of is not None else "branch or field"
            raise ValueError(f"{wrong[0]} has no meaning beside {beside}")
        if self.field is not None and self.collection is None:
            raise ValueError("field is a member of a collection, which is missing; a whole name is a branch")
        if self.phi is not None and self.phi.unit is not None and self.phi.unit not in _ANGLES:
            raise ValueError(f"phi in {self.phi.unit}; its unit is {', '.join(_ANGLES)}")
        if self.scale == 0:
            raise ValueError("a scale of 0 makes all numbers one")
        return self

    @property
    def is_vector(self) -> bool:
        """Whether it is a collection of one object, too."""
        return self.vector or self.phi is not None

    @property
    def source(self) -> FieldSource:
        """Where its number is in a file."""
        return FieldSource(
            field=self.field, branch=self.branch, tree=self.tree, unit=self.unit, scale=self.scale, offset=self.offset
        )

    @property
    def needs(self) -> frozenset[str]:
        """The fields of its objects that it needs."""
        names = {"pt", *self.where}
        if self.abs_eta_max is not None:
            names.add("eta")
        if self.vector:
            names.add("phi")
        return frozenset(names) if self.of is not None else frozenset()


_OF_OBJECTS = ("vector", "pt_min_gev", "abs_eta_max")
_OF_FILE = ("collection", "tree", "phi", "index", "unit", "scale", "offset")
