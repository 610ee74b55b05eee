"""Public data sets and our own samples behind one interface: batches of crossings or jets as awkward arrays.

Every format's fields and units are in `FORMATS`, and as tables in `docs/sources.md`.

candidates   candidates in physical units to the hardware integers that jets and taggers are made of
containers/  the containers that the formats lie in, each opened by the library that is made for it
crossings    our own samples (`l1emu.events.sample`) as a source
e2e_images   CMS end-to-end quark-gluon images of ML4SCI
energyflow   the quark-gluon jets of EnergyFlow (Zenodo 3164691), npz
fastpuppi    PUPPI candidates of FastPUPPI's `perfNano` ntuples
format       what a format is: the columns of the files, the fields made of them with their units, and how
hls4ml_jets  the hls4ml LHC jet data sets with 30, 50, 100 or 150 particles (Zenodo 3601436, 3601443 and others), HDF5
inputs       fields of jets as the array that a tagger takes
jetclass     JetClass (jet-universe/particle_transformer, Zenodo 6619768)
l1nano       Level-1 jets of CMS's Phase-2 L1 NanoAOD
ntuple       a candidate ntuple as a sample: what a study asks of one, from files that l1emu did not make
openml       the 16 high-level features of the hls4ml LHC jets, OpenML's `hls4ml_lhc_jets_hlf`
pfnano       CMS PFNano: NanoAOD with particle-flow candidates (cms-jet/PFNano), jets and their constituents
repeated     files and crossings that stand twice in what is read as one
source       files of one format as one stream of batches
top_tagging  the top-tagging reference data set (Zenodo 2603256), HDF5 as pandas writes a table under the key `table`
"""

from l1emu.events.sources.candidates import hardware_candidates
from l1emu.events.sources.format import Field, Format
from l1emu.events.sources.inputs import stacked
from l1emu.events.sources.ntuple import NtupleSample, open_crossings, open_ntuple
from l1emu.events.sources.source import FORMATS, Source, find_files, find_format, open_source

__all__ = [
    "FORMATS",
    "Field",
    "Format",
    "NtupleSample",
    "Source",
    "find_files",
    "find_format",
    "hardware_candidates",
    "open_crossings",
    "open_ntuple",
    "open_source",
    "stacked",
]
