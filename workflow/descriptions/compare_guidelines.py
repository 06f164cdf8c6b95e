"""The guidelines, broken one at a time."""

from workflow.description import Description

DESCRIPTION = Description(
    "Training",
    title="The guidelines, broken one at a time",
    caption="Section 3 ({item}): real images, then a row of samples of the same z for the published rules and for each "
    "guideline broken. All had the same number of minibatches. A rule that matters shows in its row.",
    sentence="of {variants} rules broken one at a time, {clearly_worse} took samples clearly farther from the held-out "
    "images and {clearly_better} clearly nearer ({seeds} seeds; as published: sliced Wasserstein distance "
    "{sliced_wasserstein:.3f})",
    makes={"Section 3: the guidelines": "svhn"},
)
