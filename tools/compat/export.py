"""Writes what `train.py` left as ONNX, which compares it with torch: as it is, and quantised; and
once more with ultralytics' own export.
"""

from pathlib import Path

from ultralytics import YOLO

from dynconv import yolo

# 160 pixels: before 8.4.190 the head of YOLOv10 asks for 300 places, also where there are fewer.
images = sorted(Path("images/val").glob("*.png"))
weights = "yolov10n-dynamicconv-1/weights/best.pt"
for precision in ("float32", "int8"):
    yolo.export(weights, f"{precision}.onnx", images=images, imgsz=160, precision=precision)
assert Path(YOLO(weights).export(format="onnx", imgsz=160)).exists()
print("ok")
