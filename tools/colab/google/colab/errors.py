"""As in Colab's package."""


class Error(Exception):
    pass
