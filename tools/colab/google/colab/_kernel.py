"""A kernel whose shell is known by its name as Colab's: huggingface_hub looks at that."""

from ipykernel.ipkernel import IPythonKernel
from ipykernel.zmqshell import ZMQInteractiveShell


class Shell(ZMQInteractiveShell):
    pass


class Kernel(IPythonKernel):
    shell_class = Shell
