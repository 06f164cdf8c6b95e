"""A generator that forgets windows."""

from workflow.description import Metrics


def sentence(m: Metrics) -> str:
    """As the classifier found it; or by the boxes that a person drew, once there are any."""
    if m["annotated_by"] != "hand":
        return (
            "{share_with_window:.0%} of {samples_measured} new samples have a window, "
            "{share_with_window_without_maps:.0%} without {maps_dropped:.0f} of {maps} feature maps "
            "({share_with_window_without_maps_least:.0%} to {share_with_window_without_maps_most:.0%} in {draws} "
            "draws), {share_with_window_without_random_maps:.0%} without as many random ones (difference "
            "{windows_difference_low:.0%} to {windows_difference_high:.0%})"
        )
    if not m["boxes"]:
        return "no window has been boxed: `make annotate`, then run the pipeline again"
    return (
        "by hand: {boxes} boxes on {share_with_window:.0%} of {samples} samples; without {maps_dropped:.0f} of {maps} "
        "feature maps pixels change by {change_inside_boxes:.1%} of their range inside boxes and "
        "{change_outside_boxes:.1%} outside (as many random maps: {change_inside_boxes_random_maps:.1%}, "
        "{change_outside_boxes_random_maps:.1%})"
    )
