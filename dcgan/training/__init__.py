"""Section 4: adversarial training."""
