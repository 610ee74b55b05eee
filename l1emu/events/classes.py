"""What a jet can truly be."""

CLASSES = ("b", "c", "uds", "g", "pileup")
"""Truth classes of a jet, in the order of the labels and of the tagger's outputs."""
