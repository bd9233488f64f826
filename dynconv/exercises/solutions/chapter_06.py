"""Solutions for chapter 6, Two models, counted."""


def classes(parameters, with_one_class, per_class):
    more, remainder = divmod(parameters - with_one_class, per_class)
    return more + 1 if remainder == 0 and more >= 0 else None


def scdown_parameters(c1, c2, k):
    pointwise = c1 * c2 + 2 * c2  # convolution and BatchNorm
    depthwise = c2 * k * k + 2 * c2
    return pointwise + depthwise


def extra_multiply_adds(cin, cout, k, num_experts):
    mixing = num_experts * cout * cin * k * k
    routing = cin * num_experts
    return mixing + routing
