"""Trials of the supervised CNN."""

from workflow.workload import GIGA, Scale, Work


def work(s: Scale, item: str) -> Work:
    """One shard of the trials: trained, and evaluated after every epoch."""
    section = s.params.supervised
    splits, trials = s.packed(section.images), section.trials / len(section.shards)
    trained = trials * section.epochs * section.labels_per_class * 10
    evaluated = trials * section.epochs * sum(splits[name].rows for name in ("validation", "test") if name in splits)
    gflop = s.discriminator(section.network).flop / GIGA
    return Work(trained + evaluated, training_gflop=3 * trained * gflop, matrix_gflop=evaluated * gflop)
