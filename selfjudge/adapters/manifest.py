"""What is known of one version of an adapter: the file `manifest.json` beside its weights.

A version's name is a hash of its content: equal content has one name, and the content of a name never changes. `check`
says before whether the weights can be used, and the store's `verify` afterwards.
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, JsonValue, model_validator

MANIFEST: Final = "manifest.json"

PolicyName = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$")]
"""1 to 64 lower-case letters, digits and, inside, `.`, `_`, `-`: safe as a folder anywhere and as a model's name."""

VersionName = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """One version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: VersionName
    """`version_of` the base and the files."""
    policy: PolicyName
    base: Sha256
    """Fingerprint of the base model that the adapter was trained on (`fingerprint`)."""
    template: str
    """Name of the judgment template that the policy was trained with."""
    rank: Annotated[int, Field(ge=1)]
    """The largest of its modules'."""
    metrics: Mapping[str, FiniteFloat] = Field(default_factory=dict)
    """What was measured before it was published."""
    parent: VersionName | None = None
    """The version of the same policy that training went on from."""
    created: AwareDatetime
    """UTC."""
    recipe: Mapping[str, JsonValue] = Field(default_factory=dict)
    """The resolved configuration of the training run."""
    files: Mapping[str, Sha256]
    """Every file of the version but this one, by name."""

    @property
    def name(self) -> str:
        """How requests name this version."""
        return f"{self.policy}@{self.version}"

    @model_validator(mode="after")
    def _name_is_of_content(self) -> Self:
        named = version_of(self.base, self.files)
        if self.version != named:
            raise ValueError(f"version {self.version} names other content: base and files are those of {named}")
        return self


def version_of(base: str, files: Mapping[str, str]) -> str:
    """The name of the version that consists of these files (SHA-256 by name) for this base: 16 hexadecimal digits."""
    lines = [base, *(f"{name} {checksum}" for name, checksum in sorted(files.items()))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
