"""The command line: `main`, the verbs (`l1emu.cli.verbs`) and how a run of them ends (`l1emu.cli.ending`).

arrays         inputs from files of numpy
batch          `l1emu batch`: a study or a recipe in shards, on batch systems
batch          `l1emu batch`: a study in shards on many machines
boards         `l1emu estimate` of a network over several boards
budget         `l1emu budget`: whether a tagger keeps to a latency budget
calibrate      the verb `calibrate`: the jet energy calibration from a sample with generator jets
compare        `l1emu compare`: two results beside one another
compile        `l1emu compile`: kernels for other processors, to be sent to where jobs run
convert        `l1emu convert`: a trained tagger to an hls4ml project, a firmware file and golden vectors
emulate        `l1emu emulate`: a firmware on a file of inputs
ending         how a run of the command line ends
estimate       `l1emu estimate`: cycles and resources of a design before anybody synthesizes it
events         `l1emu events`: what is in files of events or jets
generate       the verb `generate`: a recipe made into a sample
options        options and output that the verbs share
quantize       `l1emu quantize`: what one bit costs
rates          `l1emu rates`: trigger rate against signal efficiency
report         `l1emu report`: what a synthesis report claims, and what is wrong with it
run            `l1emu run`: a whole study
simulate       `l1emu simulate`: the 40 MHz stream through a Level-1 chain
source_inputs  inputs of a firmware from files of events
tagger         the tagger of `l1emu budget` and `l1emu simulate`
to_quantize    what `l1emu quantize` is given: a project, labelled jets, and what it is compared with
train          `l1emu train`: a tagger from its recipe and labelled jets
validate       the verb `validate`: the event chain held against what is known
verbs          the verbs: one module each, a thin shell around the Python function of the same name
verify         `l1emu verify`: the emulation against the project's own C++, or against the Keras model, layer by layer
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from l1emu.cli.verbs import VERBS, app

__all__ = ["VERBS", "app", "main"]


def __getattr__(name: str) -> Any:
    """The verbs are imported when they are asked for: first of all signals have to find their handlers."""
    if name not in ("VERBS", "app"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from l1emu.cli import verbs

    return getattr(verbs, name)


def main() -> None:
    """Run the command line; the exit codes are those of `l1emu.cli.ending`."""
    from l1emu.cli.ending import ended

    sys.exit(ended(_verb))


def _verb() -> int:
    from l1emu.cli.verbs import app

    return app(prog_name="l1emu", standalone_mode=False) or 0
