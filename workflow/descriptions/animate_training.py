"""Training as a moving picture."""

from workflow.description import Description, Metrics


def sentence(m: Metrics) -> str:
    """Nothing if there were too few grids to compare."""
    if "last_change" not in m:
        return ""
    return (
        "samples of the same z changed by {first_change:.1%} of the pixel range from the first grid to the second, by "
        "{last_change:.1%} to the last of {grids}"
    )


DESCRIPTION = Description(
    "Training",
    title="Training as a moving picture",
    caption="Samples of the same z as training goes on ({item}). They should settle into rooms, faces or objects and "
    "go on getting clearer.",
    sentence=sentence,
)
