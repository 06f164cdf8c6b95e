"""Section 4.1.1: near-duplicates by the binary codes of a de-noising autoencoder."""
