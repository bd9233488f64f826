"""What holds for the package as a whole."""

import importlib
import inspect
import pkgutil
import typing

import dynconv


def test_the_annotations_of_all_public_functions_can_be_read():
    """An editor reads them; a name that was never imported would only show there."""
    unreadable = []
    for info in pkgutil.walk_packages(dynconv.__path__, "dynconv."):
        if "Addmodules" in info.name or info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        for name, value in inspect.getmembers(module):
            if getattr(value, "__module__", None) != info.name:
                continue
            if inspect.isfunction(value) or inspect.isclass(value):
                try:
                    typing.get_type_hints(value)
                except NameError as error:
                    unreadable.append(f"{info.name}.{name}: {error}")
    assert not unreadable
