"""A trainer for more than one GPU: where it is imported, the package's modules are registered."""

from ultralytics.models.yolo.detect import DetectionTrainer

from .modules import register_all

register_all()


class DynamicConvTrainer(DetectionTrainer):
    """ultralytics' DetectionTrainer; use it as
    `model.train(trainer=dynconv.yolo.DynamicConvTrainer, device=[0, 1])`.

    To train on several GPUs, ultralytics starts one new process for each, which imports the trainer
    and builds the model from its YAML. Nobody imports dynconv there, so the stock trainer ends with
    `KeyError: 'DynamicConv'`. This class differs only in where it is defined: to import it is to
    register. On one device it changes nothing.

    For modules of your own, put a subclass into the file that registers them, and pass that. A
    script that imports dynconv and is itself started with `torchrun --nproc_per_node 2 script.py`
    needs no trainer. With ultralytics before 8.4.150, dynconv must be installed (or on PYTHONPATH),
    since the new processes do not get this one's sys.path.
    """
