"""What the tests of a model's life share: code in a new process, a tiny data set, a network's
output, parameters that all matter.
"""

import os
import signal
import subprocess
import sys
import traceback

import torch
from tiny import OPTIONS
from tiny import make_data as make_data

ENVIRONMENT = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "PYTEST_CURRENT_TEST": None,  # where ultralytics finds it, it behaves differently
}
# The arguments of train() in a folder that `make_data` filled, as code.
TINY = ", ".join(
    [*(f"{name}={value!r}" for name, value in OPTIONS.items()), "project=__import__('os').getcwd()"]
)


def start_python(code, cwd, *arguments, **environment):
    """Start a new process that runs code (or, without code, `python` with arguments). A variable of
    value None is removed.
    """
    variables = {
        name: value
        for name, value in (os.environ | ENVIRONMENT | environment).items()
        if value is not None
    }
    command, pipe = [sys.executable, *(["-c", code] if code else arguments)], subprocess.PIPE
    return subprocess.Popen(command, cwd=cwd, env=variables, stdout=pipe, stderr=pipe, text=True)


def run_python(code, cwd, *arguments, **environment):
    """The same, to its end; its last printed line."""
    process = start_python(code, cwd, *arguments, **environment)
    try:
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0, out[-1500:] + err[-1500:]
    return (out.strip().splitlines() or [""])[-1]


# What Python says before it changes something on the disk.
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.truncate"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def killed_before_change(number, folder, action):
    """Do the action in a process of its own, which kills itself (SIGKILL) before it changes
    something in the folder for that time, counted from 0. False if it came to its end before.
    """
    changes = 0

    def watch(event, arguments):
        nonlocal changes
        change = event in CHANGES or (event == "open" and (arguments[2] or 0) & WRITING)
        if change and str(arguments[0]).startswith(str(folder)):
            if changes == number:
                os.kill(os.getpid(), signal.SIGKILL)
            changes += 1

    child = os.fork()
    if not child:
        try:
            sys.addaudithook(watch)
            action()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), "it failed without being killed"
    return status != 0


def stirred(layer):
    """The layer with parameters that all matter (offsets and masks start at zero)."""
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return layer


def output(model, x):
    """What the model gives, without gradients: of a detection network the first of its outputs."""
    with torch.no_grad():
        y = model(x)
    return y[0] if isinstance(y, (list, tuple)) else y
