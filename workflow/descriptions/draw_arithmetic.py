"""Arithmetic with concepts."""

from workflow.description import UNFINISHED, Description, Metrics

NEARNESS = (
    "they are one face, not several over each other, by {mean_nearness:.2f}, {single_nearness:.2f} and "
    "{pixel_nearness:.2f} of 1 (samples {sample_nearness:.2f}, real faces {real_nearness:.2f})"
)


def sentence(m: Metrics) -> str:
    """As the classifier found it; or what can be measured once a person has chosen the exemplars."""
    if m["annotated_by"] != "hand":
        return (
            "expected attributes in {mean_success:.0%} of results with the mean of {exemplars} z, {single_success:.0%} "
            "with single z, {pixel_success:.0%} with the same sum of pixels, {chance:.0%} by chance; " + NEARNESS
        )
    if not m["sums_drawn"]:
        return f"still to be chosen: {{missing}}: {UNFINISHED}"
    return (
        "exemplars by hand: sums of the mean of {exemplars} z lie {mean_length:.2f} times as far out as samples do, of "
        "single z {single_length:.2f} times; results of single z differ {single_spread:.2f} times as much as samples; "
        + NEARNESS
    )


DESCRIPTION = Description(
    "Looking inside",
    title="Vector arithmetic",
    caption="As Figure 7 ({item}): three samples of each concept and, under them, the image of their mean z. The sum's "
    "image is in the middle of the 3 x 3 panel, among neighbours with noise of 0.25: all nine should show what the sum "
    "says. Beside it the same sum of single z, which the paper found unstable, and of pixels, which has the "
    "attributes, too, but shows several faces over each other.",
    sentence=sentence,
    classifier="fit_face_classifier",
    in_summary=True,
    table_rows=(
        'Figure 7: arithmetic succeeds, mean of 3 z / single z / pixels | shown / "unstable" / "noisy overlap" | '
        "{arithmetic_faces[mean_success]:.1%} / {arithmetic_faces[single_success]:.1%} / "
        "{arithmetic_faces[pixel_success]:.1%} (chance: "
        "{arithmetic_faces[chance]:.1%}); one face, not several over each other: "
        "{arithmetic_faces[mean_nearness]:.2f} / {arithmetic_faces[single_nearness]:.2f} / "
        "{arithmetic_faces[pixel_nearness]:.2f} of 1; the classifier is right about glasses, smile and hair in "
        "{classifier_faces_faces[glasses_accuracy]:.1%}, {classifier_faces_faces[smile_accuracy]:.1%} "
        "and {classifier_faces_faces[long_hair_accuracy]:.1%}",
    ),
    pictured=("faces",),
    makes={"Figure 7: vector arithmetic": "faces"},
    modules=("internals/vector_arithmetic", "internals/concepts", "internals/overlays"),
)
