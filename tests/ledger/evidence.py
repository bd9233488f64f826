"""Claims about papers and accuracy, as far as numbers decide them; the others are read."""

import ast

from scipy import stats

from dynconv.lab import experiment, training

from . import check, shown, verdict


def reported(name):
    """The published accuracies in the claim's cell: {model: (trained on ImageNet-1K, pre-trained on
    22K)}.
    """
    (table,) = [
        node.value
        for node in ast.walk(shown(name))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "reported"
    ]
    return ast.literal_eval(table)


def posts_pretrain():
    """The posts' settings, as the package has them."""
    return training.preset("posts").settings["pretrained"]


@check
def paper_backs_posts():
    found = reported("paper-backs-posts")
    # The pitfall of few FLOPs, as the paper reports it: only ParameterNet gains by pre-training.
    gains = {name: large - small for name, (small, large) in found.items()}
    assert all((gain > 1) == name.startswith("ParameterNet") for name, gain in gains.items())

    def ahead(size, column):
        return (
            found[f"ParameterNet ~{size}M FLOPs"][column]
            - found[f"GhostNet ~{size}M FLOPs"][column]
        )

    by_layer, by_both = ([ahead(size, column) for size in (300, 600)] for column in (0, 1))
    most_by_layer = any(layer > both / 2 for layer, both in zip(by_layer, by_both))
    return verdict(posts_pretrain() or most_by_layer)


@check
def accuracy_dynamicconv():
    """The recorded experiment, compared as chapter 7 does."""
    pair = ("yolov10n-dynamicconv-2-bn-act", "yolov10n-conv-2")  # differ in the mixing only
    recorded, differences = experiment.recorded(), []
    assert not any(run["settings"]["pretrained"] for run in recorded), "from scratch, as the posts"
    for objects in ("shapes", "digits"):
        runs = [run for run in recorded if run["data"]["name"].startswith(objects)]
        scores = [
            [run["score"]["mAP50-95"] for run in runs if run["model"] == model] for model in pair
        ]
        assert list(map(len, scores)) == [5, 5]
        low, high = stats.ttest_ind(*scores, equal_var=False).confidence_interval()
        differences.append(low > 0 or high < 0)
    return verdict(all(differences)) if any(differences) else "cannot be known"
