"""Weights of an ONNX file in half or a quarter of the space."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

EXPERTS = 5  # the rank of experts, (M, Cout, Cin / groups, kh, kw); nothing else here has it


def as_float16(file: Path, feeds: dict[str, np.ndarray]) -> None:
    """Store kernels and matrices as float16, with a Cast to float32 behind each: a runtime does it
    once, when it loads the file, and computes as before. (It needs no images.)
    """
    model = onnx.load(file)
    for tensor in list(model.graph.initializer):
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 1:
            half = numpy_helper.to_array(tensor).astype(np.float16)
            _replace(model.graph, tensor, {"half": half}, "Cast", to=TensorProto.FLOAT)
    onnx.save(model, file)


def as_int8(file: Path, feeds: dict[str, np.ndarray]) -> None:
    """Quantise the static convolutions with their inputs, by onnxruntime, whose ranges are those
    that occur on the images; and store experts as int8, each output channel of each expert with a
    scale of its own. (onnxruntime would take the kernels mixed from them for one more activation,
    with one scale for all channels.)
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Images(CalibrationDataReader):
        rows = iter(range(len(next(iter(feeds.values())))))

        def get_next(self):
            k = next(self.rows, None)
            return None if k is None else {name: value[[k]] for name, value in feeds.items()}

    quant_pre_process(str(file), str(file), skip_symbolic_shape=True, skip_optimization=True)
    graph = onnx.load(file).graph
    weights = {tensor.name for tensor in graph.initializer}
    computed = [n.name for n in graph.node if n.op_type == "Conv" and n.input[1] not in weights]
    quantize_static(
        str(file),
        str(file),
        Images(),
        op_types_to_quantize=["Conv"],
        nodes_to_exclude=computed,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    model = onnx.load(file)
    for tensor in list(model.graph.initializer):
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == EXPERTS:
            weight = numpy_helper.to_array(tensor)
            rows = weight.reshape(len(weight) * weight.shape[1], -1)  # one for each output channel
            scale = np.maximum(abs(rows).max(1), 1e-12).astype(np.float32) / 127
            whole = np.round(rows / scale[:, None]).astype(np.int8)
            parts = {"int8": whole, "scale": scale, "zero": np.zeros(len(scale), np.int8)}
            _replace(model.graph, tensor, parts, "DequantizeLinear", tensor.dims, axis=0)
    onnx.save(model, file)


def _replace(
    graph, tensor, parts: dict[str, np.ndarray], op: str, shape=None, **attributes
) -> None:
    """Put an operation on stored parts, and a Reshape if a shape is given, in a tensor's place."""
    names = [f"{tensor.name}.{part}" for part in parts]
    graph.initializer.remove(tensor)
    graph.initializer.extend(map(numpy_helper.from_array, parts.values(), names))
    out = tensor.name if shape is None else f"{tensor.name}.rows"
    graph.node.insert(
        0, helper.make_node(op, names, [out], name=f"{op} {tensor.name}", **attributes)
    )
    if shape is not None:
        sizes = numpy_helper.from_array(np.array(shape, np.int64), f"{tensor.name}.shape")
        graph.initializer.append(sizes)
        node = helper.make_node(
            "Reshape", [out, sizes.name], [tensor.name], name=f"Reshape {tensor.name}"
        )
        graph.node.insert(1, node)
