"""The classifier that reads faces."""

from workflow.description import Metrics


def sentence(m: Metrics) -> str:
    """The share of every attribute that it was asked for, then the pose."""
    attributes = [
        key.removesuffix("_accuracy") for key in m if key.endswith("_accuracy") and not key.startswith("pose")
    ]
    shares = ", ".join(f"{name.replace('_', ' ')} {{{name}_accuracy:.1%}}" for name in attributes)
    return (
        f"right about {shares} of {{held_out:,}} real faces it never saw; pose off by {{pose_mean_error_degrees:.1f}} "
        "degrees on average"
    )
