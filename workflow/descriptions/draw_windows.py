"""A generator that forgets windows."""

from workflow.description import UNFINISHED, Description, Metrics


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
        return f"no window has been boxed: {UNFINISHED}"
    return (
        "by hand: {boxes} boxes on {share_with_window:.0%} of {samples} samples; without {maps_dropped:.0f} of {maps} "
        "feature maps pixels change by {change_inside_boxes:.1%} of their range inside boxes and "
        "{change_outside_boxes:.1%} outside (as many random maps: {change_inside_boxes_random_maps:.1%}, "
        "{change_outside_boxes_random_maps:.1%})"
    )


DESCRIPTION = Description(
    "Looking inside",
    title="Forgetting windows",
    caption="As Figure 6 ({item}): above, new samples with windows; below, the same z after the feature maps that draw "
    "windows were dropped. Windows fade into wall or become something else; the rest of the room stays.",
    sentence=sentence,
    classifier="fit_window_classifier",
    in_summary=True,
    table_rows=(
        "Figure 6: samples with a window, before / after | shown | "
        "{windows_bedrooms[share_with_window]:.1%} / "
        "{windows_bedrooms[share_with_window_without_maps]:.1%} (as many random maps dropped: "
        "{windows_bedrooms[share_with_window_without_random_maps]:.1%}; difference "
        "{windows_bedrooms[windows_difference_low]:.0%} to {windows_bedrooms[windows_difference_high]:.0%}); the "
        "classifier is right in {classifier_windows_bedrooms[image_accuracy]:.1%} of real images it never saw",
    ),
    pictured=("bedrooms",),
    pictured_wide=True,
    makes={"Figure 6: windows removed": "bedrooms"},
    modules=("internals/window_removal",),
)
