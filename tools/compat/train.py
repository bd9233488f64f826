"""Trains models for an epoch, in a folder with the tiny data set. Arguments: their names."""

import os
import sys

from tiny import OPTIONS

from dynconv import yolo

for name in sys.argv[1:]:
    yolo.build(name).train(epochs=1, project=os.getcwd(), name=name, **OPTIONS)
print("ok")
