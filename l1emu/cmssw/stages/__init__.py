"""The stages, one module each; `l1emu.cmssw.registry` has them all.

flow_barrel  the particle flow of a barrel region
flow_endcap  the particle flow of an endcap region
seeded_cone  the jet finder
"""
