"""The networks as one table: to change a network, edit a row; to add one, add a row.

Source of the first six rows: the authors' published code (section 4 and Figure 1 of the paper show `lsun64`).
Every generator projects its latent to a small stack of feature maps and doubles it up to an image by fractionally
strided convolutions; every discriminator is its mirror. A layer is written `(feature maps, stride)`.
The guidelines of section 3 are fields as well; a row follows each guideline that it does not name.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Layers = tuple[tuple[int, int], ...]
Activation = Literal["relu", "leaky_relu", "maxout"]


@dataclass(frozen=True)
class Architecture:
    """One generator and its discriminator; images are `channels` x `image_size` x `image_size`."""

    name: str
    image_size: int
    channels: int
    latent_size: int
    latent: Literal["uniform", "normal"]  # U(-1, 1) | N(0, 1)
    kernel_size: int
    projection: tuple[int, int]  # feature maps and side of the stack that the latent is projected to
    generator_layers: Layers  # the last one makes the image
    discriminator_layers: Layers
    generator_hidden: tuple[int, ...] = ()  # fully connected layers before the projection
    discriminator_hidden: tuple[int, ...] = ()  # fully connected layers behind the convolutions
    classes: int = 0  # > 0: a one-hot label is joined to the input of every layer
    pixel_range: Literal["tanh", "sigmoid"] = "tanh"  # the generator's last non-linearity, and so the range of pixels
    norm_affine: bool = True  # gain and bias of batch norm
    norm_epsilon: float = 1e-8  # the published code's, not PyTorch's 1e-5
    norm_projection_by_unit: bool = True  # batch norm of the projection over separate units, not feature maps
    leak: float = 0.2
    # The guidelines of section 3, as published; `generator_hidden` and `discriminator_hidden` above are one, too.
    resampling: Literal["strided", "pooled"] = "strided"  # pooled: nearest upsampling in G, max pooling in D
    norms: Literal["published", "none", "all"] = "published"  # all: also of G's output and of D's first layer
    generator_activation: Activation = "relu"
    discriminator_activation: Activation = "leaky_relu"
    global_pooling: bool = False  # D ends in the mean of each feature map; published: in every position of it
    bounded: bool = True  # False: neither tanh nor sigmoid at G's end; pixels mean the same, but may leave their range
    # Of its first convolution. Without one, a batch times a number gives the same logits: batch norm divides it out.
    discriminator_bias: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError if this network cannot break a guideline in the given way."""
        if self.resampling == "pooled" and self.kernel_size % 2 == 0:
            raise ValueError(f"resampling: pooled needs an odd kernel size, {self.name} has {self.kernel_size}")
        if self.global_pooling and not self.discriminator_layers:
            raise ValueError(f"global_pooling: {self.name} has no feature maps")

    @property
    def description(self) -> dict[str, Any]:
        """The row as a network file stores it, without the guidelines that are followed."""
        return {name: value for name, value in asdict(self).items() if value != GUIDELINES.get(name)}

    @property
    def feature_count(self) -> int:
        """Length of a feature vector: every convolutional layer pooled to 4 x 4 (section 5.1)."""
        return sum(maps for maps, _ in self.discriminator_layers) * 16


# What section 3 recommends, or the published code has, by field.
GUIDELINES = {
    name: getattr(Architecture, name)
    for name in (
        *("resampling", "norms", "generator_activation", "discriminator_activation"),
        *("global_pooling", "bounded", "discriminator_bias"),
    )
}


def architecture_from(fields: Mapping[str, Any]) -> Architecture:
    """The architecture that a network file describes (JSON has lists for the table's tuples).

    Raises TypeError for unknown or missing fields.
    """

    def frozen(value: Any) -> Any:
        return tuple(frozen(item) for item in value) if isinstance(value, list) else value

    return Architecture(**{name: frozen(value) for name, value in fields.items()})


LSUN64 = Architecture(
    name="lsun64",
    image_size=64,
    channels=3,
    latent_size=100,
    latent="uniform",
    kernel_size=5,
    projection=(1024, 4),
    generator_layers=((512, 2), (256, 2), (128, 2), (3, 2)),
    discriminator_layers=((128, 2), (256, 2), (512, 2), (1024, 2)),
)

IMAGENET32 = Architecture(
    name="imagenet32",
    image_size=32,
    channels=3,
    latent_size=256,
    latent="uniform",
    kernel_size=3,
    projection=(512, 4),
    generator_layers=((512, 2), (256, 1), (256, 2), (128, 1), (128, 2), (3, 1)),
    discriminator_layers=((128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2)),  # 28,672 features
)

SVHN32 = Architecture(
    name="svhn32",
    image_size=32,
    channels=3,
    latent_size=100,
    latent="normal",
    kernel_size=5,
    projection=(256, 4),
    generator_layers=((128, 2), (64, 2), (3, 2)),
    discriminator_layers=((64, 2), (128, 2), (256, 2)),  # 7,168 features
)

MNIST28 = Architecture(
    name="mnist28",
    image_size=28,
    channels=1,
    latent_size=100,
    latent="uniform",
    kernel_size=5,
    generator_hidden=(1024,),
    projection=(128, 7),
    generator_layers=((64, 2), (1, 2)),
    discriminator_layers=((64, 2), (128, 2)),
    discriminator_hidden=(1024,),
    classes=10,
    pixel_range="sigmoid",
    norm_affine=False,
)

# No convolutions at all: the fully connected GAN that Table 3 and Figure 9 compare with; its sizes are unpublished.
MNIST28_DENSE = replace(
    MNIST28,
    name="mnist28_dense",
    generator_hidden=(1024, 1024),
    projection=(1, 28),
    generator_layers=(),
    discriminator_layers=(),
    discriminator_hidden=(1024, 1024),
)

# The network of the PyTorch tutorial and of most ports; it differs from the paper's and is here for comparison.
TUTORIAL64 = Architecture(
    name="tutorial64",
    image_size=64,
    channels=3,
    latent_size=100,
    latent="normal",
    kernel_size=4,
    projection=(512, 4),
    generator_layers=((256, 2), (128, 2), (64, 2), (3, 2)),
    discriminator_layers=((64, 2), (128, 2), (256, 2), (512, 2)),
    norm_epsilon=1e-5,
    norm_projection_by_unit=False,
)

# Small relatives for a laptop without a GPU: same rules, fewer maps.
DEMO32 = replace(
    LSUN64,
    name="demo32",
    image_size=32,
    projection=(128, 4),
    generator_layers=((64, 2), (32, 2), (3, 2)),
    discriminator_layers=((32, 2), (64, 2), (128, 2)),
)
# Half as wide again: the sweep over the guidelines trains dozens of networks.
DEMO32_NARROW = replace(
    DEMO32,
    name="demo32_narrow",
    projection=(64, 4),
    generator_layers=((32, 2), (16, 2), (3, 2)),
    discriminator_layers=((16, 2), (32, 2), (64, 2)),
)
DEMO_IMAGENET32 = replace(
    IMAGENET32,
    name="demo_imagenet32",
    latent_size=100,
    # Half as deep as the discriminator and wider: six narrow layers draw little but colours.
    projection=(256, 4),
    generator_layers=((128, 2), (64, 2), (3, 2)),
    discriminator_layers=((16, 1), (16, 2), (32, 1), (32, 2), (64, 1), (64, 2)),
    discriminator_bias=True,  # without it samples get ever more contrast, which the discriminator cannot see
)
DEMO_MNIST28 = replace(
    MNIST28,
    name="demo_mnist28",
    generator_hidden=(256,),
    projection=(32, 7),
    generator_layers=((32, 2), (1, 2)),
    discriminator_layers=((16, 2), (32, 2)),
    discriminator_hidden=(256,),
)

DEMO_MNIST28_DENSE = replace(
    MNIST28_DENSE,
    name="demo_mnist28_dense",
    generator_hidden=(256, 256),
    discriminator_hidden=(256, 256),
)

ARCHITECTURES: dict[str, Architecture] = {
    row.name: row
    for row in (
        LSUN64,
        replace(LSUN64, name="faces64"),
        IMAGENET32,
        SVHN32,
        MNIST28,
        MNIST28_DENSE,
        TUTORIAL64,
        DEMO32,
        DEMO32_NARROW,
        replace(DEMO32, name="demo_svhn32", latent="normal"),
        DEMO_IMAGENET32,
        DEMO_MNIST28,
        DEMO_MNIST28_DENSE,
    )
}
