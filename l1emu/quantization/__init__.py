"""What one bit costs: an hls4ml project with other types, its score, its cycles and its resources.

choices
    which types a configuration gives: bits of weights and of data, layer by layer.
data
    labelled inputs for the scores.
rules
    the types that hls4ml infers from others, and the sizes of tables that follow from them.
sites
    where a project's text states the types of its layers.
retype
    a project with other types, as hls4ml would write it.
score
    areas under ROC curves, their ratio to a reference, and the error of that ratio from the same jets drawn anew.
measure
    a configuration's score, cycles, interval and resources.
search
    bits taken from the layer that misses them least, one after the other, while a constraint holds.
"""

from l1emu.quantization.choices import BitGrid, TypeChoice, grid
from l1emu.quantization.data import Labelled, read_labelled
from l1emu.quantization.measure import Bench, Configuration
from l1emu.quantization.retype import Retyper
from l1emu.quantization.search import Constraint, search

__all__ = [
    "Bench",
    "BitGrid",
    "Configuration",
    "Constraint",
    "Labelled",
    "Retyper",
    "TypeChoice",
    "grid",
    "read_labelled",
    "search",
]
