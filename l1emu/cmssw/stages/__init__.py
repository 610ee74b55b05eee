"""The stages, one module each; `l1emu.cmssw.registry` has them all.

deregionizer       in which order candidates reach the jet finder
flow_barrel        the particle flow of a barrel region
flow_endcap        the particle flow of an endcap region
jet_tagger         the inputs of CMS's jet tagger, in three versions
puppi              the linearized PUPPI weight, in barrel, endcap and beyond the tracks
regions            what each region takes in
regionizer_endcap  what its firmware, with its buffers, lets into a region of the endcap
seeded_cone        the jet finder
sums               HT, missing HT, missing ET
tracks             the correlator's tracks
"""
