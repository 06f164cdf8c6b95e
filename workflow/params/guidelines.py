"""The section `guidelines` of `params.yaml`: which rules of section 3 of the paper are broken, and how it is tried."""

from typing import Annotated, Any, Literal

from pydantic import Field

from workflow.params.types import BatchSize, Beta, Count, CountOrZero, Name, Rate, Section, Source

Activation = Literal["relu", "leaky_relu", "maxout"]


class Variant(Section):
    """What differs from the published rules: fields of a network's row or of `train`; those left out do not."""

    resampling: Literal["strided", "pooled"] | None = None
    norms: Literal["published", "none", "all"] | None = None
    generator_activation: Activation | None = None
    discriminator_activation: Activation | None = None
    global_pooling: bool | None = None
    bounded: bool | None = None
    generator_hidden: list[Count] | None = None
    discriminator_hidden: list[Count] | None = None
    learning_rate: Rate | None = None
    beta1: Beta | None = None

    def changes(self) -> dict[str, Any]:
        """The fields that are named, with their values."""
        return {name: value for name, value in self if value is not None}


class Guidelines(Section):
    """The sweep: where, how long, how often, and what is varied."""

    sets: list[Name]
    images: Source
    autoencoder: Source
    network: str
    epochs: Annotated[int, Field(ge=2, le=100_000)]
    seeds: Annotated[list[CountOrZero], Field(min_length=1)]
    batch_size: BatchSize
    learning_rate: Rate
    beta1: Beta
    curve_interval: Count
    shown: Annotated[int, Field(ge=1, le=128)]
    enlargement: Count
    variants: dict[Name, Variant]
