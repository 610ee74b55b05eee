// Stands in for CMSSW's differences of angles, of which the jet tagger takes nothing.
