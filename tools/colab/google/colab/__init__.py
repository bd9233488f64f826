"""Stands in for Colab's own package of this name, as far as notebooks and libraries look at it."""
