"""Training with one of the guidelines broken."""

from workflow.workload import Scale, Work


def work(s: Scale, item: str) -> Work:
    """As training: every variant is taken to be as much work as the published rules."""
    section, trained = s.params.guidelines, s.params.train[item.rsplit("-", 2)[0]]
    seen = (s.store(section.images).rows - trained.held_out) * section.epochs
    return s.training(section.network, seen, section.batch_size, section.batch_size, trained, 1)
