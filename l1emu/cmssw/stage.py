"""What a stage of the comparison with CMS's C++ is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CmsCase:
    """Some inputs of a stage.

    Attributes
    ----------
    name
        What they are, for messages.
    given
        int64, the words that the driver reads.
    """

    name: str
    given: NDArray[np.int64]


@dataclass(frozen=True)
class CmsStage:
    """A piece of CMS's Level-1 trigger that we emulate word for word.

    Attributes
    ----------
    name
        Also that of its driver, `drivers/NAME.cpp`.
    sources
        Files of cmssw that are compiled, by their place in it.
    headers
        Files of cmssw that those and the driver include, as far as they must be there.
    cases
        Yields the inputs, one case after the other.
    ours
        Makes of the words that the driver reads those that it should write, int64.
    functions
        File of cmssw -> function -> `l1emu.cmssw.versions.function_hash` of the version that was compared.
    defines
        Of the preprocessor. With `CMSSW_GIT_HASH` the files are what they are inside CMSSW.
    told_by
        A file of cmssw and a text in it, where the stage is for one of several versions that have stages of their own:
        where the file is another one, the stage is left out.
    version
        What CMS calls that version.
    """

    name: str
    sources: tuple[str, ...]
    headers: tuple[str, ...]
    cases: Callable[[], Iterator[CmsCase]]
    ours: Callable[[NDArray[np.int64]], NDArray[np.int64]]
    functions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    defines: tuple[str, ...] = ("CMSSW_GIT_HASH",)
    told_by: tuple[str, str] | None = None
    version: str | None = None

    @property
    def main_file(self) -> str:
        """The file of its first function, or else of its sources: a folder without it has nothing of the stage."""
        return next(iter(self.functions or self.sources or self.headers))

    @property
    def files(self) -> tuple[str, ...]:
        """All files of cmssw that must be there."""
        return (*self.sources, *self.headers)


def pack_rows(rows: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Words for a driver: for each record its number of rows, then these.

    Parameters
    ----------
    rows
        int64 (rows, width), those of all records one after the other.
    counts
        int64, how many of them each record has.
    """
    width = rows.shape[1]
    words = np.empty(len(counts) + rows.size, np.int64)
    heads = np.arange(len(counts)) + (np.cumsum(counts) - counts) * width
    words[heads] = counts
    inside = np.ones(len(words), np.bool_)
    inside[heads] = False
    words[inside] = rows.ravel()
    return words


def unpack_rows(words: NDArray[np.int64], width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and counts of such words, see `pack_rows`."""
    heads, at = [], 0
    while at < len(words):
        heads.append(at)
        at += 1 + width * int(words[at])
    inside = np.ones(len(words), np.bool_)
    inside[heads] = False
    return words[inside].reshape(-1, width), words[heads]
