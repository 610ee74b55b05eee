"""One study: a config in, a results folder out.

asked       what a menu asks of scores: by which collection, and at least how much
compared    two results beside one another
config      the schema of a study: samples, objects, taggers, menu, budget and stream, as data
crossings   the crossings of a study's samples as a menu sees them: objects, sums, and the scores of its taggers
decided     every seed that a study decides, and those that are made of them
documents   what a measurement says, as the parts of `results.json` and of `l1emu rates --json`
firmwares   rates and efficiencies with other firmwares in a tagger's place
first_pass  what the crossings of a part of a sample say, as whole numbers that add
inputs      the files that a study names beside its samples
jet_response  raw pt and width of jets beside what CMS has published of its own
latency     the latency of a study: the budget check, and the stream that its crossings make
line_rate   its crossings through tagger, seed and stream, batch by batch, as fast as the LHC brings them
manifest    what a result was made with: versions, seeds, and hashes of everything that went in
measure     a study's menu measured: first pass, thresholds, second pass, rates and efficiencies
part_files  what the first pass leaves on disk: a zip of numpy arrays
parts       the first pass over a part of one sample, and the files that it leaves
records     what is kept of single crossings: of those that some seed may accept
run         one study from end to end: read, emulate, check, simulate, measure, write
samples     the samples that a study names: made by l1emu, ntuples of candidates, or any tree by a map
scores      distributions of a score, by what the object is
second_pass  what the records say once the thresholds are known
shipping    kernels compiled beforehand, for processors that need not be here
top_pairs   samples of top quark pairs, read or made, for turn_on and jet_response
turn_on     turn-on curves of top quark pairs beside CMS's public ones
validation  the event chain held against what is known
"""

from typing import TYPE_CHECKING

from l1emu.lazy import lazily

if TYPE_CHECKING:
    from l1emu.study.compared import Comparison, compare_results
    from l1emu.study.config import Study, StudyFile, read_study
    from l1emu.study.run import Results, measure_rates, run_study

__all__ = ["Comparison", "Results", "Study", "StudyFile", "compare_results", "measure_rates", "read_study", "run_study"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "compared": ("Comparison", "compare_results"),
        "config": ("Study", "StudyFile", "read_study"),
        "run": ("Results", "measure_rates", "run_study"),
    },
)
