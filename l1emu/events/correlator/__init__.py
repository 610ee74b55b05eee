"""CMS's correlator, Layer 1, in words: integers in, integers out (namespace `l1ct` of cms-sw/cmssw).

buffered_regions
              the endcap's regions as its firmware fills them, clock by clock
deregionizer  in which order the candidates of all regions reach the jet finder, and which do not
flow          what the particle flow of barrel and endcap share: muons, the calorimeter's resolution, tracks to clusters
flow_barrel   the particle flow of a barrel region
flow_endcap   the particle flow of an endcap region
puppi         the linearized PUPPI weight: candidates of a region
regions       the regions and their overlap: which objects each takes in, and in which order
sorting       the orders in which CMS's emulators leave equal words
tracks        track words of the track finder, and the tracks that the correlator makes of them
vertex        the primary vertex: a histogram of the tracks' z0
words         the columns of the arrays in which objects are handed on, and the identifiers of particles
"""
