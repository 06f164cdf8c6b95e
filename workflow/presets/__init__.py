"""Presets of params.yaml: one base with every key, and what differs."""
