"""Adding a product is a file, a folder of its server, and a row: nothing else knows products by name."""

import re
from importlib import import_module
from inspect import iscoroutinefunction
from pathlib import Path

import pytest

from shared.messages.connection_fields import RegistryType
from tests.contract.source_tree import ROOT, python_files

_PRODUCT = re.compile("nexus|sonatype|artifactory|jfrog|gitlab|harbor|gitflic", re.IGNORECASE)
_TABLE = Path("shared/messages/connection_fields.py")
_DIALECTS = Path("shared/registry/dialects")
_HOOKS = Path("services/console/hooks")  # a webhook is its product's own


@pytest.mark.parametrize("product", RegistryType)
def test_each_row_has_its_dialect_and_its_server(product: RegistryType) -> None:
    module = import_module(f"shared.registry.dialects.{product.value}")
    assert callable(module.dialect)
    assert iscoroutinefunction(module.recognised)
    assert isinstance(import_module(f"tests.fakes.{product.value}.server").SERVERS, dict)


def test_each_dialect_has_its_row() -> None:
    files = {path.stem for path in (ROOT / _DIALECTS).glob("*.py")} - {"__init__"}
    assert files == {product.value for product in RegistryType}


def test_no_product_is_named_outside_its_dialect() -> None:
    naming = [
        f"{path}:{number}"
        for path in python_files("shared", "services", "tallyman")
        if path != _TABLE and not {_DIALECTS, _HOOKS} & set(path.parents)
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1)
        if _PRODUCT.search(line)
    ]
    assert naming == []


def test_no_dialect_names_another_product() -> None:
    for product in RegistryType:
        text = (ROOT / _DIALECTS / f"{product.value}.py").read_text().lower()
        others = {other.value for other in RegistryType} - {product.value, "v2", "auto"}
        assert not [other for other in others if re.search(rf"\b{other}\b", text)], product
