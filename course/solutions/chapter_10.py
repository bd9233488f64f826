"""Solutions for chapter 10, YOLO11, and the 4.7 GFLOPs."""


def unseen(cin, cout, k, side):
    """The number of experts is not in it. Whatever stands in the place
    of the convolution, the profiler counts it as nothing.
    """
    multiply_adds = cout * cin * k * k * side * side
    return 2 * multiply_adds / 1e9


def same_colour(image):
    """This paints the whole image in its average colour. Noise whose
    mean is zero in each channel, laid over the image, works too. A
    router that pools cannot tell either from the original.
    """
    return image.mean((2, 3), keepdim=True).expand_as(image)


def changed_rows(stock, variant, meant):
    """For YOLO11n with all blocks replaced, it names row 23, the head.
    Equal counts prove nothing: an activation that got lost has no
    parameters.
    """

    def count(row):
        return sum(p.numel() for p in row.parameters())

    pairs = enumerate(zip(stock.model, variant.model))
    return [
        i
        for i, (before, after) in pairs
        if i not in meant and count(before) != count(after)
    ]
