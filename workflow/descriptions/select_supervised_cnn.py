"""The best trial of the supervised CNN."""

from workflow.description import Curves, Description

DESCRIPTION = Description(
    "Representations",
    title="Supervised baseline",
    sentence="{error:.1%} validation error, best of {n_trials} trials (published {published:.1%}, best of 64)",
    charts=(
        Curves(
            "Best validation error so far",
            "A curve that is flat at its end has found what this search can find.",
            "trial",
            ("best_so_far",),
        ),
    ),
    table_rows=("Table 2: supervised CNN, error | 28.87 % | {supervised_cnn[error]:.1%}",),
    makes={"Table 2": ""},
)
