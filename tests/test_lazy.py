"""Packages that import what is asked for: every public name is there, whatever was imported before."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

LAZY = ("l1emu", "l1emu.events", "l1emu.events.generate", "l1emu.stream", "l1emu.study", "l1emu.trigger")


@pytest.mark.parametrize("name", LAZY)
def test_every_public_name_is_found(name: str) -> None:
    package = import_module(name)
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    assert set(package.__all__) <= set(dir(package))
    for public in package.__all__:
        assert getattr(package, public) is not None
        assert public not in modules, "the module would be found in its place, once it is imported"


@pytest.mark.parametrize("name", LAZY)
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        import_module(name).nothing  # noqa: B018
    with pytest.raises(ImportError):
        exec(f"from {name} import nothing")
