from .DynamicConv import C2f_DynamicConv, DynamicConv

__all__ = ["C2f_DynamicConv", "DynamicConv"]
