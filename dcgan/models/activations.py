"""The non-linearities of the hidden layers: ReLU, leaky ReLU (section 3 of the paper), and maxout, which it replaced.

Source of maxout: Goodfellow et al. 2013, "Maxout Networks", arXiv 1302.4389: a unit is the largest of several linear
functions of its input, here of 2. So a layer with maxout computes and normalizes 2 channels for each that is left
after it, and has twice the weights. The first GANs had it in their discriminator.
"""

import torch.nn.functional as F
from torch import Tensor

from dcgan.models.architectures import Activation

MAXOUT_PIECES = 2


def channels_before(activation: Activation, channels: int) -> int:
    """How many channels a layer has to compute so that `channels` are left after the activation."""
    return channels * MAXOUT_PIECES if activation == "maxout" else channels


def activate(x: Tensor, activation: Activation, leak: float) -> Tensor:
    """x: (N, C, ...) -> the same shape; of maxout (N, C / 2, ...), the larger of channels c and c + C / 2."""
    if activation == "maxout":
        largest: Tensor = x.unflatten(1, (MAXOUT_PIECES, -1)).amax(1)
        return largest
    return F.relu(x) if activation == "relu" else F.leaky_relu(x, leak)
