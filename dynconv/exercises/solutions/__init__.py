"""Reference solutions, one module per chapter. Each function has the
name of its checker, and a docstring that remarks on it, in Markdown;
the page 'Solutions' shows both.
"""
