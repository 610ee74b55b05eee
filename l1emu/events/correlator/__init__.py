"""CMS's correlator, Layer 1, in words: integers in, integers out (namespace `l1ct` of cms-sw/cmssw).

tracks   track words of the track finder, and the tracks that the correlator makes of them
words    the columns of the arrays in which objects are handed on, and the identifiers of particles
"""
