"""The path that a request is for, as the application's routes name it."""

from starlette.types import Scope


def path_of(scope: Scope) -> str:
    """Without the prefix that a proxy in front of the server adds (`--root-path`)."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
