"""The model that the options name, made ready to be loaded."""

from argparse import Namespace

from selfjudge.shipped import NAMES, prepare_folder
from selfjudge.shipped.folders import Tell


def prepare_model(args: Namespace, tell: Tell) -> None:
    """Has the options name the folder of a model that ships, which is made unless it is there.

    Raises ShippedModelError.
    """
    if args.model in NAMES:
        args.model = str(prepare_folder(args.model, tell))
