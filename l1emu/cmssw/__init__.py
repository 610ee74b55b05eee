"""Our words held against those of CMS's own C++, which a user has fetched.

`l1emu validate cmssw --source DIR` compiles files of CMS's software (github.com/cms-sw/cmssw) with a driver of ours,
gives both the same words, and counts the words that differ. None of CMS's code is here: DIR is a checkout, or a folder
with some of its files at their own places (`L1Trigger/...`, `DataFormats/...`). Several folders may be given: a stage
is compared in every one that has it.

How a stage is added
--------------------
1. `drivers/NAME.cpp`, the driver: a `main` that includes `words.h` and CMS's headers, takes words from `Words::next`,
   calls CMS's functions and gives words to `Words::put`. Begin a record with its length; write each output word by
   itself, so that a difference is counted word by word, and let the number of words depend on the input alone where
   that is possible (pad with zeros, tell who was chosen as one word for each candidate).
2. `stages/NAME.py` with one public name, a `CmsStage`: the files of cmssw that it needs (`sources` are compiled,
   `headers` must be there), the functions whose arithmetic we emulate (`functions`, by file; the hash of each is that
   of the version that was compared, `python -m l1emu.cmssw.versions FILE FUNCTION...` prints it), `cases`, which yields
   one `CmsCase` after the other, a name and the words for the driver, and `ours`, which makes of such words those that
   the driver should write. `pack_rows` and `unpack_rows` of `stage.py` write and read lists of rows; `inputs.py` has
   the candidates of the shipped samples. More than a million words in all; extremes (ties, wraps, saturation, none and
   the most candidates) as cases of their own.
3. Its line in `registry.py`, and a row in the table of `docs/events.md`.
4. Headers of CMSSW's framework that its files include and the arithmetic does not need stand in `stand_ins/`, in our
   own words and as small as will do. They come before DIR's.
5. Golden words: `tests/cmssw/golden/NAME.npz`, which `l1emu.cmssw.compare.golden` writes for some cases (some tens of
   kB); `tests/cmssw/test_golden.py` compares every file that is there.

build      compile a driver with CMS's files, and run it
compare    the stages, one after the other: words, and how many differ
flow_inputs
           what the stages of the particle flow share, and the regions that they are given
inputs     crossings that stages are given
objects    C++ compiled once, and kept
registry   the stages by name
stage      what a stage is
stages/    one module each
versions   whether a function of CMS's is the one that was compared
"""

from typing import TYPE_CHECKING

from l1emu.lazy import lazily

if TYPE_CHECKING:
    from l1emu.cmssw.compare import FolderComparisons, StageComparison, compare_folders
    from l1emu.cmssw.registry import STAGES

__all__ = ["STAGES", "FolderComparisons", "StageComparison", "compare_folders"]

__getattr__, __dir__ = lazily(
    __name__, {"compare": ("FolderComparisons", "StageComparison", "compare_folders"), "registry": ("STAGES",)}
)
