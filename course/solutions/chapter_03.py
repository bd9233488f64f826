"""Solutions for chapter 3, Parameters are not FLOPs."""


def parameter_ratio(cin, cout, k, num_experts):
    """$M$ kernels, and a Linear with $M (C_{in} + 1)$ numbers, over one
    kernel.
    """
    kernel = cout * cin * k * k
    return num_experts + num_experts * (cin + 1) / kernel


def flop_ratio(cin, cout, k, num_experts, side):
    """For 128→256 with $k = 3$ and $M = 4$, mixing adds $4/L$. That
    exceeds a tenth when $L$ is below 40, so from side 6 down ($L = 36$,
    11 % extra).
    """
    kernel, positions = cout * cin * k * k, side * side
    convolution = kernel * positions
    mixing, routing = kernel * num_experts, cin * num_experts
    return (convolution + mixing + routing) / convolution


def count_dynamic(layer, x, y):
    """Convolution, mixing and routing, once for each sample of the
    batch. With groups the kernel is smaller, and
    `layer.weight[0].numel()` knows it.
    """
    kernel = layer.weight[0].numel()  # Cout · Cin/groups · k · k
    convolution = kernel * y[0, 0].numel()
    mixing = kernel * layer.num_experts
    routing = layer.in_features * layer.num_experts
    return len(x) * (convolution + mixing + routing)
