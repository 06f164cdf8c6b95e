"""The embedded demo world: raw sources in the original formats, the same bytes for the same seed.

No later stage knows that the images are rendered. Because the truth about them is known, the paper's claims become
numbers.
"""
