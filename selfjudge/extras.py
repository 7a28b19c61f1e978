"""What a command says where the extra of this package that it needs has not been installed."""

OWN = frozenset({"selfjudge", "selfjudge_service", "selfjudge_training"})


def missing_extra(command: str, extras: str, error: ModuleNotFoundError) -> str:
    """The last line of a command that can't begin.

    Args:
        command: its name.
        extras: those that bring what it needs, for people.
        error: what its import failed with.

    Raises:
        ModuleNotFoundError: the error itself, if the module is one of ours: then nothing is missing, but broken.
    """
    if error.name is None or error.name.partition(".")[0] in OWN:
        raise error
    return f"{command}: the module {error.name!r} is missing. This command needs {extras}"
