"""The stages, one module each; `l1emu.cmssw.registry` has them all.

flow_barrel  the particle flow of a barrel region
flow_endcap  the particle flow of an endcap region
jet_tagger   the inputs of CMS's jet tagger, in three versions
seeded_cone  the jet finder
tracks       the correlator's tracks
deregionizer  in which order candidates reach the jet finder
seeded_cone   the jet finder
sums          HT, missing HT, missing ET
"""
