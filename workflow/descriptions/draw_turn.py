"""Heads that turn."""

from workflow.description import UNFINISHED, Description, Metrics


def sentence(m: Metrics) -> str:
    """As the classifier found it; or what can be measured once a person has chosen the faces."""
    if m["annotated_by"] != "hand":
        return (
            "{monotone_share:.0%} of {faces} faces turn steadily, by {turned_degrees:.0f} degrees in all "
            "({monotone_share_random_direction:.0%} along random directions)"
        )
    if "missing" in m:
        return f"still to be chosen: {{missing}}: {UNFINISHED}"
    return (
        "exemplars by hand: {monotone_share:.0%} of {faces} faces turn with every step, by {turned_share:.2f} of the "
        "way from the mean left to the mean right picture ({monotone_share_random_direction:.0%} and "
        "{turned_share_random_direction:.2f} along random directions)"
    )


DESCRIPTION = Description(
    "Looking inside",
    title="Turning heads",
    caption="As Figure 8 ({item}): the mean of four faces that look left, of four that look right, and random faces "
    "moved along the vector between them; the middle column is the face as it was. Heads should turn evenly to the "
    "right.",
    sentence=sentence,
    classifier="fit_face_classifier",
    in_summary=True,
    table_rows=(
        "Figure 8: faces that turn steadily | shown | {turn_faces[monotone_share]:.1%} (along a random "
        "direction: {turn_faces[monotone_share_random_direction]:.1%}); the classifier is off by "
        "{classifier_faces_faces[pose_mean_error_degrees]:.1f} degrees on average",
    ),
    pictured=("faces",),
    makes={"Figure 8: faces that turn": "faces"},
    modules=("internals/turn", "internals/latent_space"),
)
