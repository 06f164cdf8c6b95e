"""Samples beside real images."""

from workflow.description import Description

DESCRIPTION = Description(
    "Training",
    title="Samples",
    caption="As Figures 2 and 3 ({item}): samples, drawn with the statistics of their own batch, over real images. A "
    "good generator's samples differ from each other as much as real images do.",
    sentence="two samples differ {variety:.2f} times as much as two real images",
    compared_pictures="Samples, over real images",
    pictured=("bedrooms", "faces"),
    makes={"Figure 3: bedrooms": "bedrooms", "Figure 10: faces": "faces", "Figure 11: ImageNet": "imagenet"},
    modules=("models/networks", "models/batch_norm"),
)
