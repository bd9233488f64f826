"""Writes what `train.py` left as ONNX, which compares it with torch: as it is, and quantised."""

from pathlib import Path

from dynconv import yolo

images = sorted(Path("images/val").glob("*.png"))
weights = "yolov10n-dynamicconv-1/weights/best.pt"
for precision in ("float32", "int8"):
    yolo.export(weights, f"{precision}.onnx", images=images, imgsz=64, precision=precision)
print("ok")
