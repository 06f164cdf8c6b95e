"""Section 6: the latent space, and what single feature maps stand for."""
