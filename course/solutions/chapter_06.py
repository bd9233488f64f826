"""Solutions for chapter 6, Two models, counted."""


def classes(parameters, with_one_class, per_class):
    """A remainder, or fewer parameters than with one class, means that
    the model differs in more than its number of classes.
    """
    more, remainder = divmod(parameters - with_one_class, per_class)
    return more + 1 if remainder == 0 and more >= 0 else None


def at_half_the_side():
    """Mixing and routing are paid once per image and stay, all else is
    paid at every position. So the share of the mixing rises by the
    factor by which the positions fall, as long as it is small.
    """
    return {
        "parameters": "the same",
        "true GFLOPs": "about a quarter",
        "printed GFLOPs": "about a quarter",
        "share of the mixing": "about four times",
    }


def scdown_parameters(c1, c2, k):
    """From 128 to 256 channels with $k = 3$ that is 36,096, where the
    full convolution has 294,912, and `DynamicConv` four times as many.
    """
    pointwise = c1 * c2 + 2 * c2  # convolution and BatchNorm
    depthwise = c2 * k * k + 2 * c2
    return pointwise + depthwise


def what_the_line_says():
    """Another count is proof of a difference. The same count is only a
    hint, the stronger, the more numbers agree: this chapter has layers,
    parameters, gradients and GFLOPs, and it compares the rows, too.
    """
    return {
        "A is not the network of the post": "follows",
        "B is the network of the post": "does not follow",
        "B needs less arithmetic than stock": "does not follow",
        "A trains in less memory than B": "does not follow",
    }


def extra_multiply_adds(cin, cout, k, num_experts):
    """Mixing and routing happen once per image, the convolution at
    every position of the map. At 640 pixels row 17 has 1,600 positions,
    and the mixing of four experts adds 4/1600 of its convolution, a
    quarter of a per cent; most rows of the model mix nothing, so in the
    whole the share is smaller still. At 64 pixels each map has a
    hundredth of the positions, the convolutions need a hundredth of the
    operations, the mixing as many as before, and its share is a hundred
    times as large.
    """
    mixing = num_experts * cout * cin * k * k
    routing = cin * num_experts
    return mixing + routing
