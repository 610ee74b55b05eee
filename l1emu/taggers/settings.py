"""The schema of a tagger of a study: the firmware, what it looks at, its inputs, outputs and scores."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from l1emu.config import Config
from l1emu.taggers.maps import Inputs, NameText
from l1emu.taggers.scores import NameList, ScoreForm

JET_OUTPUTS = ("b", "c", "uds", "g", "pileup")
"""The outputs of the tagger that comes with l1emu, in their order."""

JET_MAP = "l1emu-jets"
"""The feature map of that tagger."""


def _flat(data: Any) -> Any:
    """Outputs in a list, as they are; a name alone is a list of one."""
    return [data] if isinstance(data, str) else data


_Several = Field(min_length=1, max_length=4096)
OutputNames = Annotated[
    Annotated[list[NameText], _Several, Tag("list")] | Annotated[dict[NameText, NameList], _Several, Tag("dict")],
    Discriminator(lambda data: "dict" if isinstance(data, dict) else "list"),
    BeforeValidator(_flat),
]
"""A name for each number or for each output, or the names of each output by what the firmware calls it."""


class TaggerConfig(Config):
    """A tagger of a study.

    `of` is the collection whose objects it looks at, or `event`. `inputs` is the name of a map that comes with l1emu,
    the file of one, one map for a network with one input, or a map for each input by its name. `outputs` names the
    numbers that the network gives, or the outputs as vectors. `golden` are vectors of the project's own C++. `unknown`
    is what becomes of layers whose kernels are not known, see `l1emu.firmware.Firmware.read`.
    """

    firmware: str = Field(min_length=1)
    golden: str | None = Field(default=None, min_length=1)
    of: NameText = "jets"
    inputs: Inputs
    outputs: OutputNames
    scores: dict[NameText, ScoreForm] = Field(min_length=1, max_length=256)
    threads: int | None = Field(default=None, ge=1, le=1024)
    unknown: Literal["refuse", "cpp"] = "refuse"

    @model_validator(mode="after")
    def _names_differ(self) -> TaggerConfig:
        given = (
            self.outputs if isinstance(self.outputs, list) else [n for names in self.outputs.values() for n in names]
        )
        twice = next((name for name in given if given.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two outputs are named {twice!r}; expected names that differ")
        if isinstance(self.inputs, dict):
            both = next((name for name in self.inputs if name in given), None)
            if both is not None:
                raise ValueError(f"an input and an output are named {both!r}; expected names that differ")
        return self


def jet_tagger(firmware: str, golden: str | None = None, threads: int | None = None) -> TaggerConfig:
    """The settings of a tagger of jets with the inputs and outputs of the one that comes with l1emu.

    Sixteen constituents by twelve numbers, and the scores tag_b, tag_c, tag_uds, tag_g and tag_pileup.
    """
    return TaggerConfig(
        firmware=firmware,
        golden=golden,
        inputs=JET_MAP,
        outputs=list(JET_OUTPUTS),
        scores={f"tag_{name}": ScoreForm(output=name) for name in JET_OUTPUTS},
        threads=threads,
    )
