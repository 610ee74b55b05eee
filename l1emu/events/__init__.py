"""Crossings, Level-1 candidates, jets and their features."""
