"""What an operator can set, validated at start-up.

Values come from the environment (`SELFJUDGE_...`), so that the same settings reach the plugin in our own server and in
a stock vLLM server; `selfjudge-serve` turns its flags into these variables.
"""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MethodName = Literal["tournament", "score"]
"""How the best of N is found."""


class Flags(BaseSettings):
    """Settings that `selfjudge-serve` also takes as flags."""

    model_config = SettingsConfigDict(
        env_prefix="SELFJUDGE_", frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    max_best_of_n: int = Field(64, ge=1, le=256)
    """Largest `best_of_n` a request may ask for, and the most candidates `/v1/rank` takes."""
    default_best_of_n: int = Field(1, ge=1, le=256)
    """`best_of_n` of chat requests that ask for none, neither in the body nor by header."""
    max_comparisons: int = Field(256, ge=1, le=4096)
    """Most comparisons in one `/judge` request."""
    template: str = "ultrafeedback"
    """Judgment template of requests that name none: a shipped one, or one found in templates_dir."""
    principle_template: str = "ultrafeedback-principle"
    """Judgment template of requests that name principles but no template."""
    method: MethodName | None = None
    """How the best of N is found where requests don't say; if unset as the model's config wants it, else tournament."""
    in_place_template: str = "in-place-score"
    """Judgment template of the method score where requests name none: a shipped one, or one found in templates_dir."""
    rationale_template: str = "ultrafeedback-principle-rationale"
    """Judgment template of requests that want rationales but name no template."""
    templates_dir: Path | None = None
    """Folder of your own judgment templates (YAML)."""
    max_body_mib: float = Field(8.0, gt=0, le=1024)
    """Largest request body read, in MiB."""
    heartbeat_seconds: float = Field(5.0, gt=0, le=60)
    """Silence after which a stream carries a comment, so that load balancers keep it open."""
    rationale_max_tokens: int = Field(256, ge=1, le=4096)
    """Longest rationale generated for a `/judge` request."""
    adapters_dir: Path | None = None
    """Store of adapters (`selfjudge-train publish`); without it none are served from one."""
    adapters_watch: bool = False
    """Validate and activate each new version in the store without being told."""
    adapters_poll_seconds: float = Field(2.0, ge=0.1, le=60)
    """How often the store is looked at for other replicas' switches, and for new versions if watched."""
    gate_pairs: Path | None = None
    """Held-out preferences (JSON lines of prompt, chosen, rejected) that a version judges before it becomes active."""
    gate_accuracy: float | None = Field(None, ge=0, le=1)
    """Share of gate_pairs that a version must judge right, over both orders."""
    gate_consistency: float | None = Field(None, ge=0, le=1)
    """Share of gate_pairs in which both orders must have the same winner."""
    gate_prompts: Path | None = None
    """Prompts (JSON lines) that a version and the active one answer, before it takes the other's place."""
    gate_win_share: float = Field(0.5, ge=0, lt=1)
    """Share of gate_prompts of which a version must win more against the active one; ties count half."""
    gate_judge: Literal["policy", "reference"] = "policy"
    """Whose weights judge these matches: the active version's (policy), or the base model's (reference)."""
    gate_max_tokens: int = Field(512, ge=1)
    """Longest answer sampled for gate_prompts, in tokens; within the model's context."""
    max_candidates: int | None = Field(None, ge=1, le=1_000_000)
    """Candidates in flight at once, of all requests; what weighs more runs alone. If unset, the engine's room."""
    max_tournaments: int | None = Field(None, ge=1)
    """Tournaments running at once; if unset, only their candidates are limited."""
    max_waiting: int = Field(1000, ge=0, le=100_000)
    """Requests that may wait for admission at once; with 0 none waits."""
    queue_seconds: float = Field(30.0, gt=0, le=3600)
    """Longest wait for admission; then 429 is answered, and at once where no room is expected in time."""
    queue_share: float | None = Field(None, gt=0)
    """Share of max_candidates that may wait before others are refused: 0.25 holds latency, by more refusals."""
    key_max_requests: int | None = Field(None, ge=1)
    """Requests of one API key running or waiting at once; no limit if unset."""
    key_max_candidates: int | None = Field(None, ge=1)
    """Candidates of one API key running or waiting at once; no limit if unset."""
    client_seconds: float = Field(60.0, ge=1, le=3600)
    """Longest wait for a client to send its whole request, or to take what it is sent, in seconds."""
    bracket_log: Path | None = None
    """Folder to log tournaments in, for training; without it none are logged."""
    bracket_log_share: float = Field(1.0, ge=0, le=1)
    """Share of the tournaments that is logged."""
    bracket_log_max_mib: float = Field(1024.0, gt=0)
    """Most that bracket_log may hold, in MiB; once it does, nothing is added, and nothing deleted."""
    log_format: Literal["text", "json"] = "text"
    """Lines of the log: text for a person at a terminal, json for what stores logs."""
    log_prompts: bool = False
    """Log what requests ask; otherwise logs hold no prompt text."""
    otlp_endpoint: str | None = Field(None, pattern="^https?://")
    """Collector to send traces of tournaments to by OTLP over HTTP, such as http://collector:4318."""
    drain_seconds: float = Field(60.0, ge=0, le=3600)
    """After SIGTERM, longest time for finishing the requests under way; the rest is answered 503."""
    watchdog_seconds: float = Field(60.0, ge=1, le=3600)
    """Silence after which the engine is replaced, above its longest step; 600 on CPUs, 5 for the tiny model."""
    max_engine_failures: int = Field(5, ge=1, le=1000)
    """Failures of the engine in a row after which the server gives up."""

    @field_validator("default_best_of_n")
    @classmethod
    def _default_within_limit(cls, value: int, info: ValidationInfo) -> int:
        if value > (limit := info.data.get("max_best_of_n", value)):
            raise ValueError(f"must not exceed max_best_of_n, which is {limit}")
        return value


class Settings(Flags):
    """All settings: keys have no flags, because a list of processes shows flags to everybody."""

    api_keys: Annotated[tuple[str, ...], NoDecode] = ()
    """Keys, of which requests must bear one, separated by commas or as a JSON list; none means an open server."""
    admin_keys: Annotated[tuple[str, ...], NoDecode] = ()
    """Keys for the routes that change what is served, separated by commas or as a JSON list; none closes them."""

    @field_validator("api_keys", "admin_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if not value.lstrip().startswith("["):
            return tuple(key.strip() for key in value.split(",") if key.strip())
        try:
            return tuple(json.loads(value))
        except ValueError as error:
            raise ValueError("what begins with [ must be a JSON list of keys") from error
