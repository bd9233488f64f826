"""What a chapter depends on: the files of the package that define the names it uses, and what these
files use in turn.

A name that a file only hands on (`from .charts import bars as bars`, or one in `__all__`) leads to
the file that defines it, so that an edit of one figure concerns the chapters that show it. Files
are compared by their syntax trees, without comments and docstrings; data files by their bytes.
"""

import ast
import functools
import hashlib
import importlib.metadata
import re
import sys
import sysconfig
from pathlib import Path

PACKAGE = "dynconv"
COPIED = "Addmodules"  # a folder of Python files that the package around it copies
OUTSIDE = " outside its definitions"
DEFINITIONS = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef


class Module:
    """One file of the package (or the code of a notebook), with the names that it binds by imports
    and those it uses.
    """

    def __init__(self, source, name, is_package=False):
        tree = ast.parse(source)
        self.digest = digest_of_text(without_docstrings(tree))
        self.defines = {node.name for node in tree.body if isinstance(node, DEFINITIONS)}
        # What it does when it is imported.
        rest = [node for node in tree.body if not isinstance(node, (*DEFINITIONS, ast.ImportFrom))]
        self.outside = digest_of_text(" ".join(map(ast.dump, rest)))
        self.named = set()  # dotted names and strings, among them those of modules
        self.package = name if is_package else name.rpartition(".")[0]
        self.imported = {}  # local name -> {(module, the name in it, or None for the module)}
        self.handed_on = set()  # imported for others
        self.bare = set()  # names used alone
        self.attributes = {}  # name -> those of its attributes that are used
        for node in ast.walk(tree):
            self._look_at(node)
        self.bare -= {"__all__"}

    def _bind(self, local, source, name):
        self.imported.setdefault(local, set()).add((source, name))

    def _look_at(self, node):
        if isinstance(node, ast.Attribute):
            self.named.add(ast.unparse(node))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            self.named.add(node.value)
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name if alias.asname else alias.name.partition(".")[0]
                self._bind(alias.asname or name, name, None)
                if not alias.asname and "." in alias.name:  # `import a.b` binds a, and runs a.b
                    self._bind(alias.name, alias.name, None)
        elif isinstance(node, ast.ImportFrom):
            source = self._absolute(node)
            for alias in node.names:
                self._bind(alias.asname or alias.name, source, alias.name)
                if alias.asname == alias.name:
                    self.handed_on.add(alias.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            self.attributes.setdefault(node.value.id, set()).add(node.attr)
            node.value.seen = True
        elif isinstance(node, ast.Name) and not hasattr(node, "seen"):
            if isinstance(node.ctx, ast.Load):
                self.bare.add(node.id)
        elif isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [
            "__all__"
        ]:
            self.handed_on |= {
                element.value
                for element in ast.walk(node.value)
                if isinstance(element, ast.Constant)
            }

    def _absolute(self, node):
        if not node.level:
            return node.module
        parts = self.package.split(".")
        parts = parts[: len(parts) - node.level + 1]
        return ".".join(parts + ([node.module] if node.module else []))


class Package:
    """The files below `root`/dynconv and how they depend on each other."""

    def __init__(self, root):
        self.root = Path(root)
        folder = self.root / PACKAGE
        self._read = {}
        self.files, self.data = (
            {},
            {},
        )  # module -> its file; module -> data files that count with it
        for file in sorted(folder.rglob("*.py")):
            parts = file.relative_to(self.root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            self.files[name] = file
        for file in sorted(folder.rglob("*")):
            data = file.suffix != ".py" or COPIED in file.parts
            if file.is_file() and data and "__pycache__" not in file.parts:
                self.data.setdefault(self._owner(file), []).append(file)

    def _owner(self, file):
        """The module of the same name beside a data file; else the nearest package around it;
        `touch/NAME.js` stands for itself.
        """
        parts = file.relative_to(self.root).with_suffix("").parts
        if COPIED in parts:
            return ".".join(parts[: parts.index(COPIED) + 1])
        if "touch" in parts:
            return ".".join(parts)
        while parts and ".".join(parts) not in self.files:
            parts = parts[:-1]
        return ".".join(parts)

    def module(self, name):
        if name not in self._read:
            file = self.files[name]
            text = file.read_text(encoding="utf-8")
            self._read[name] = Module(text, name, file.name == "__init__.py")
        return self._read[name]

    def resolve(self, name, attribute):
        """The modules in which `attribute` of the module `name` is defined; all that it hands on
        for '*' or None.
        """
        if f"{name}.{attribute}" in self.files:
            return self.resolve(f"{name}.{attribute}", None)
        if name not in self.files:
            return set()
        module = self.module(name)
        if attribute in (None, "*"):
            found = [
                self.resolve(name, each)
                for each in module.defines | (module.handed_on & module.imported.keys())
            ]
            return {name, *self._copied_by(name)}.union(*found)
        if attribute in module.imported:
            # Of a module that only hands a name on, these count: where it has it from, and what the
            # module does when it is imported.
            origins = sorted(module.imported[attribute], key=str)
            handed = {f"{name}.{attribute} is {origins}", f"{name}{OUTSIDE}"}
            return handed.union(*(self.resolve(*origin) for origin in origins))
        touched = (
            name.rpartition(".")[0] + f".touch.{attribute}"
        )  # a figure to touch has its function's name
        return {name, *self._copied_by(name)} | (
            {touched, touched.rpartition(".")[0] + ".kit"} if touched in self.data else set()
        )

    def _copied_by(self, name):
        return {f"{name}.{COPIED}"} & self.data.keys()

    def _around(self, name):
        """The packages around a module, which run before it, and what they copy."""
        parts = name.split(".")
        packages = {".".join(parts[:length]) for length in range(1, len(parts))}
        return (packages & self.files.keys()).union(*map(self._copied_by, packages))

    def uses(self, module):
        """The modules that a file depends on itself."""
        found = set()
        # Modules that are named: for importlib, or as part of the package above them.
        for each in module.named & self.files.keys() - {PACKAGE}:
            found |= self.resolve(each, None) | self._around(each)
        bound = [(name, *origin) for name, origins in module.imported.items() for origin in origins]
        for name, source, attribute in bound:
            if source is None or source.partition(".")[0] != PACKAGE:
                continue
            target = source if attribute is None else f"{source}.{attribute}"
            found |= self._around(target if target in self.files else source)
            if target in self.files:  # a module: what is used of it
                used = module.attributes.get(name, set())
                for each in used:
                    found |= self.resolve(target, each)
                if name in module.bare or (not used and name not in module.handed_on):
                    found |= self.resolve(target, None)
            elif name in module.bare or name in module.attributes or name not in module.handed_on:
                found |= self.resolve(source, attribute)
        return found

    def closure(self, names):
        """All modules that these depend on, themselves included."""
        found, waiting = set(), list(names)
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found.add(name)
            if name in self.files:
                waiting += self.uses(self.module(name))
        return found

    def of_code(self, code, *more):
        """All modules that a piece of code depends on. `more`: modules that it reaches by other
        ways than an import.
        """
        return self.closure([*self.uses(Module(code, "__main__")), *more])

    def digest(self, modules):
        """One line that changes with the code, not with comments and docstrings, of these modules,
        and with their data.
        """
        total = hashlib.sha256()
        for name in sorted(modules):
            outside = name.endswith(OUTSIDE) and self.module(name.removesuffix(OUTSIDE)).outside
            total.update(f"{name} {outside or ''}".encode())
            if name in self.files:
                total.update(f"{name} {self.module(name).digest}".encode())
            for file in self.data.get(name, ()):
                total.update(f"{file.relative_to(self.root)} ".encode() + file.read_bytes())
        return total.hexdigest()


def digest_of_text(text):
    return hashlib.sha256(text.encode()).hexdigest()


def without_docstrings(tree):
    """A dump of the syntax tree without lines and columns, its docstrings emptied."""
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and ast.get_docstring(node) is not None
        ):
            # All but the number of an exercise, by which its checker is found.
            node.body[0].value.value = re.match(r"[\d.:]*", ast.get_docstring(node))[0]
    return ast.dump(tree)


@functools.cache
def versions():
    """One line that changes with the Python and the installed packages."""
    # Those of the environment, not what a program adds to its own path (Ray does).
    places = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    found = importlib.metadata.distributions(path=sorted(places))
    # An interrupted installation leaves one without a name.
    installed = {(str(each.metadata["Name"]), str(each.version)) for each in found}
    names = " ".join(f"{name}=={version}" for name, version in sorted(installed) if name != PACKAGE)
    return digest_of_text(f"{sys.version} {names}")
