"""The model that the options name, made ready to be loaded."""

from argparse import Namespace

from selfjudge.shipped import NAMES, prepare_folder
from selfjudge.shipped.folders import Tell
from selfjudge_service.server.cpu_dtype import cpu_dtype


def prepare_model(args: Namespace, tell: Tell) -> None:
    """Has the options name the folder of a model that ships, which is made unless it is there, and a type of numbers.

    Raises ShippedModelError.
    """
    if args.model in NAMES:
        args.model = str(prepare_folder(args.model, tell))
    if args.dtype is None:
        args.dtype = cpu_dtype(args.model, args.revision)
