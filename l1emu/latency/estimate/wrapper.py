"""The top function that an accelerator's backend writes around the network: it reads words, calls it, and writes words.

VivadoAccelerator puts it into ``firmware/<project>_axi.cpp``, VitisAccelerator into ``kernel_wrapper_io_stream.cpp``
beside ``firmware/``. (The kernel of VitisAccelerator over arrays is counted by its buffers, `Design.buffered`.)
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from l1emu.errors import L1emuError
from l1emu.files import read_text

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)

_CYCLES_A_WORD = 2
"""Cycles of a word in a loop that is no pipeline: the test of the loop and the transfer."""


@dataclass(frozen=True)
class Wrapper:
    """What stands around the network.

    Attributes
    ----------
    top
        The function that is synthesized.
    words_in, words_out
        Words that it reads and writes for one input of the network.
    cycles_in, cycles_out
        The cycles that this takes.
    dataflow
        Whether reading, network and writing run at the same time; else one waits for the other.
    memory
        Whether the words come from a memory outside, whose own latency nobody knows here.
    """

    top: str
    words_in: int
    words_out: int
    cycles_in: int
    cycles_out: int
    dataflow: bool = False
    memory: bool = False

    @property
    def text(self) -> str:
        """What is counted, for people."""
        said = (
            f"the accelerator's top {self.top} is counted: {self.words_in:,} words read in {self.cycles_in:,} cycles, "
            f"{self.words_out:,} written in {self.cycles_out:,}, {'beside' if self.dataflow else 'before and after'} "
            "the network; its interfaces are in no resource"
        )
        return said + ("; nor is the latency of the memory outside" if self.memory else "")


def vivado_wrapper(
    firmware: Path, root: Path, name: str, sizes: tuple[int, int], packs: tuple[int, int]
) -> Wrapper | None:
    """The wrapper of a VivadoAccelerator project; None if there is none, or the build script does not synthesize it.

    Parameters
    ----------
    firmware, root
        The folder of the sources, and that of the project.
    name
        The network's function.
    sizes
        Numbers in and out of the network, where the wrapper does not say them.
    packs
        Numbers that travel together in its streams.

    Raises
    ------
    L1emuError
        if the wrapper does not read, call the network and write.
    """
    path = firmware / f"{name}_axi.cpp"
    if not path.is_file():
        return None
    script = root / "build_prj.tcl"
    if script.is_file():
        stated = re.search(r"(?m)^\s*set_top\s+(\S+)", read_text(script))
        if stated and not stated[1].endswith("_axi"):
            return None
    header = path.with_suffix(".h")
    declared = read_text(header) if header.is_file() else ""
    words = [_stated(declared, key, size) for key, size in zip(("N_IN", "N_OUT"), sizes, strict=True)]
    text = _COMMENT.sub(" ", read_text(path))
    before, called, after = text.partition(f" {name}(in_local")
    if not called:
        raise L1emuError(f"the wrapper does not call {name}", path=path)
    cycles = [_transfer(*each) for each in zip((before, after), words, packs, strict=True)]
    return Wrapper(
        top=f"{name}_axi",
        words_in=words[0],
        words_out=words[1],
        cycles_in=cycles[0],
        cycles_out=cycles[1],
        dataflow=re.search(r"#pragma\s+HLS\s+DATAFLOW", before, re.IGNORECASE) is not None,
        memory=re.search(r"\bm_axi\b", before) is not None,
    )


def kernel_wrapper(sizes: tuple[int, int]) -> Wrapper:
    """The kernel of a VitisAccelerator project over streams: it has one port for each side, and a dataflow."""
    return Wrapper("kernel_wrapper", *sizes, *sizes, dataflow=True, memory=True)


def _stated(text: str, name: str, default: int) -> int:
    found = re.search(rf"\b{name}\s*=\s*(\d{{1,12}})\s*;", text)
    return max(1, int(found[1]) if found else default)


def _transfer(text: str, words: int, pack: int) -> int:
    """The cycles of a loop over `words` words.

    A pipeline takes a word every II cycles, and one to leave. An unrolled loop has no more words a cycle than the
    interface, which is one. A loop without a pragma counts and transfers, and so does the loop around it, which packs
    the words of an item.
    """
    pipelined = re.search(r"#pragma\s+HLS\s+PIPELINE(?:\s+II\s*=\s*(\d{1,6}))?", text, re.IGNORECASE)
    if pipelined:
        return words * max(1, int(pipelined[1] or 1)) + 1
    if re.search(r"#pragma\s+HLS\s+UNROLL", text, re.IGNORECASE):
        return words
    items = math.ceil(words / max(1, pack)) if len(re.findall(r"\bfor\s*\(", text)) > 1 else 0
    return _CYCLES_A_WORD * (words + items) + 1
