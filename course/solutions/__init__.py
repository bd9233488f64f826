"""Reference solutions, one module per chapter, apart from the package
that students install. Each function has the name of its checker, and a
docstring that remarks on it, in Markdown.
"""
