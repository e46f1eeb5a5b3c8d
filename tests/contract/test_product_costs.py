"""The README's table of costs is the measured file, and the file is whole."""

import json

from benchmarks.product_costs import JSON, README, table
from benchmarks.products import GOALS, ProductCost


def test_the_readme_shows_the_measured_costs_of_every_product() -> None:
    costs = {name: ProductCost(**cost) for name, cost in json.loads(JSON.read_text()).items()}
    assert list(costs) == list(GOALS)
    assert "\n".join(table(costs)) in README.read_text()
