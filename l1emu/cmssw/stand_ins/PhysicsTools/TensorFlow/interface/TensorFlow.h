// Stands in for CMSSW's interface to TensorFlow, of which the jet tagger takes nothing.
