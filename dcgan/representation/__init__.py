"""Sections 5 and 8.1: features, classifiers on them, and what they are compared with."""
