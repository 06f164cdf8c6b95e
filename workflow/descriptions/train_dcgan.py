"""Adversarial training of one pair of networks."""

from workflow.workload import Scale, Work


def work(s: Scale, item: str) -> Work:
    """All epochs of one pair of networks."""
    section = s.params.train[item]
    seen = (s.store(section.images).rows - section.held_out) * section.epochs
    kept = 1 + (seen // section.keep_images + 1 if section.keep_images else 0)
    return s.training(section.network, seen, section.batch_size, section.batch_size / section.processes, section, kept)
