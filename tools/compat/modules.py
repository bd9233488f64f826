"""Imports every module of the package. Arguments: the version of ultralytics that must be found."""

import importlib
import pkgutil
import sys

import ultralytics

import dynconv

assert ultralytics.__version__ == sys.argv[1], ultralytics.__file__
for module in pkgutil.walk_packages(dynconv.__path__, "dynconv."):
    # what is pasted into a copy of ultralytics is only complete there
    if not module.name.startswith("dynconv.edits.Addmodules"):
        importlib.import_module(module.name)
print("ok")
