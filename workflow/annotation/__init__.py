"""Annotations by hand: boxes around windows, and samples that show a concept."""
