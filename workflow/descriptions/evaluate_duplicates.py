"""Planted duplicates against those that were found."""

from workflow.description import Description

DESCRIPTION = Description(
    "Data",
    title="Duplicates found, against the truth",
    sentence="{recall:.0%} of {n_planted:,} planted duplicates found; {precision:.1%} of what was dropped was a "
    "duplicate (published: more than {published_precision:.0%})",
)
