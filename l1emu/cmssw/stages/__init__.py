"""The stages, one module each; `l1emu.cmssw.registry` has them all.

seeded_cone  the jet finder
"""
