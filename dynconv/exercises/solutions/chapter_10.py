"""Solutions for chapter 10, YOLO11, and the 4.7 GFLOPs."""


def unseen(cin, cout, k, side):
    multiply_adds = cout * cin * k * k * side * side
    return 2 * multiply_adds / 1e9


def same_colour(image):
    return image.mean((2, 3), keepdim=True).expand_as(image)


def changed_rows(stock, variant, meant):
    def count(row):
        return sum(p.numel() for p in row.parameters())

    pairs = enumerate(zip(stock.model, variant.model))
    return [i for i, (before, after) in pairs if i not in meant and count(before) != count(after)]
