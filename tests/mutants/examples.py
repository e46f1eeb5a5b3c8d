"""A pytest plugin: Hypothesis draws the same examples on each run, keeps none, and does not look for smaller ones."""

from hypothesis import Phase, settings

PROFILE = "mutants"

settings.register_profile(
    PROFILE, max_examples=50, derandomize=True, database=None, deadline=None, phases=(Phase.explicit, Phase.generate)
)
