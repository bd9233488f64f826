"""Solutions for chapter 3, Parameters are not FLOPs."""


def parameter_ratio(cin, cout, k, num_experts):
    kernel = cout * cin * k * k
    return num_experts + num_experts * (cin + 1) / kernel


def flop_ratio(cin, cout, k, num_experts, side):
    kernel, positions = cout * cin * k * k, side * side
    convolution, mixing, routing = kernel * positions, kernel * num_experts, cin * num_experts
    return (convolution + mixing + routing) / convolution


def count_dynamic(layer, x, y):
    kernel = layer.weight[0].numel()  # Cout · Cin/groups · k · k
    positions = y[0, 0].numel()
    per_sample = (
        kernel * positions + kernel * layer.num_experts + layer.in_features * layer.num_experts
    )
    return len(x) * per_sample
