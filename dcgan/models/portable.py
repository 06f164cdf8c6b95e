"""A generator as a script in a browser reads it: what describes it, and its folded weights as base64.

Inputs: a generator whose batch-norm statistics have been estimated. Outputs: a mapping that JSON can hold. Layers and
their order are those of dcgan/models/folded.py, weights first and then the bias of each, little-endian float16.
"""

import base64
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from dcgan.models.folded import FoldedLayer, draw_folded, fold
from dcgan.models.networks import Generator
from dcgan.models.pixel_range import to_uint8

COMPARED = 32  # samples on which the folded weights are compared with the network's own


@torch.no_grad()
def portable(name: str, generator: Generator, random: torch.Generator) -> dict[str, Any]:
    """Its name, description and weights; raises InputError for a generator that cannot be folded."""
    a = generator.architecture
    layers = fold(generator)
    about = {
        "name": name,
        "latent": a.latent,
        "latentSize": a.latent_size,
        "classes": a.classes,
        "size": a.image_size,
        "channels": a.channels,
        "range": a.pixel_range,
        "leak": a.leak,
        "side": a.projection[1],
        "layers": [layer.description for layer in layers],
        "difference": largest_difference(generator, layers, random),
        "compared": COMPARED,
    }
    arrays = [array for layer in layers for array in (layer.weights, layer.bias)]
    weights = b"".join(array.astype("<f2").tobytes() for array in arrays)
    return {"name": name, "about": about, "weights": base64.b64encode(weights).decode()}


def largest_difference(generator: Generator, layers: list[FoldedLayer], random: torch.Generator) -> int:
    """Grey levels by which pixels drawn with folded weights differ from the network's own, at most."""
    a = generator.architecture
    z = generator.draw_latents(COMPARED, random)
    labels = torch.arange(COMPARED) % a.classes if a.classes else None
    own = generator(z.to(generator.device), None if labels is None else labels.to(generator.device), "estimated")
    folded = draw_folded(layers, generator, z, None if labels is None else F.one_hot(labels, a.classes).float())
    return int(np.abs(to_uint8(own, a.pixel_range).astype(int) - folded).max())
