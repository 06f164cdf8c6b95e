"""The embedded demo world: raw sources in the original formats, rendered the same to the byte from `run.seed`.

Nothing downstream knows that they are rendered. Because their truth is known, claims of the paper become numbers.
"""
