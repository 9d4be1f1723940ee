"""Compiled modules of irspack without irspack: its packages load scikit-learn, Optuna and pandas, longer than a fit."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType


def compiled(name: str) -> ModuleType:
    """A compiled module of another package, loaded without what that package imports.

    It has its full name, so that whoever imports the package later gets the same module: its types can be made once.

    Args:
        name: Of the module, such as `irspack.recommenders._knn`.
    """
    if name in sys.modules:
        return sys.modules[name]
    package, *inside, _ = name.split(".")
    home = find_spec(package)
    places = [str(Path(place, *inside)) for place in (home and home.submodule_search_locations) or ()]
    spec = PathFinder.find_spec(name, places)
    if spec is None or spec.loader is None:
        return import_module(name)  # lies elsewhere in this version, or says what is missing
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
