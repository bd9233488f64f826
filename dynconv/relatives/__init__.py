"""What is offered in the same breath as dynamic convolution: deformable convolution, DCNv3, and
backbones from timm.
"""

from .dcnv3 import DCNv3
from .dcnv3_core import dcnv3
from .deformable import DeformableConv
from .timm_backbone import TimmBackbone

__all__ = ["DCNv3", "DeformableConv", "TimmBackbone", "dcnv3"]
