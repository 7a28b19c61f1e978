"""What an operator can set, validated once at start-up.

Values come from the environment (``SELFJUDGE_...``), so that the same settings reach the plugin inside our launcher and
inside anybody's stock vLLM server; `selfjudge-serve` turns its flags into these variables.
"""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of selection and judging; vLLM's own options stay vLLM's."""

    model_config = SettingsConfigDict(env_prefix="SELFJUDGE_", frozen=True, extra="ignore")

    max_best_of_n: int = Field(
        default=64,
        ge=1,
        le=256,
        description="Largest `best_of_n` a request may ask for, and the most candidates `/v1/rank` takes.",
    )

    default_best_of_n: int = Field(
        default=1,
        ge=1,
        le=256,
        description="`best_of_n` of chat requests that ask for none, neither in the body nor by header.",
    )

    max_comparisons: int = Field(default=256, ge=1, le=4096, description="Most comparisons in one `/judge` request.")

    template: str = Field(
        default="ultrafeedback",
        description="Judgment template of requests that name none: a shipped one, or one found in templates_dir.",
    )

    principle_template: str = Field(
        default="ultrafeedback-principle",
        description="Judgment template of requests that name principles but no template.",
    )
    rationale_template: str = Field(
        default="ultrafeedback-principle-rationale",
        description="Judgment template of requests that want rationales but name no template.",
    )
    templates_dir: Path | None = Field(default=None, description="Folder of your own judgment templates (YAML).")

    max_body_mib: float = Field(default=8.0, gt=0, le=1024, description="Largest request body read, in MiB.")

    heartbeat_seconds: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="Silence after which a stream carries a comment, so that load balancers keep it open.",
    )

    rationale_max_tokens: int = Field(
        default=256, ge=1, le=4096, description="Longest rationale generated for a `/judge` request."
    )
    api_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Keys that callers must bear one of, separated by commas or as a JSON list; none means an open "
        "server.",
    )
    adapters_dir: Path | None = Field(
        default=None, description="Store of adapters (`selfjudge-train publish`); without it none are served from one."
    )

    adapters_watch: bool = Field(
        default=False, description="Validate and activate each new version in the store without being told."
    )

    adapters_poll_seconds: float = Field(
        default=2.0,
        ge=0.1,
        le=60,
        description="How often the store is looked at for other replicas' switches, and for new versions if watched.",
    )

    gate_pairs: Path | None = Field(
        default=None,
        description="Held-out preferences (JSON lines of prompt, chosen, rejected) that a version judges before it "
        "becomes active.",
    )

    gate_accuracy: float | None = Field(
        default=None, ge=0, le=1, description="Share of gate_pairs that it must judge right, over both orders."
    )

    gate_consistency: float | None = Field(
        default=None, ge=0, le=1, description="Share of gate_pairs in which both orders must have the same winner."
    )

    gate_prompts: Path | None = Field(
        default=None,
        description="Prompts (JSON lines) that a version and the active one answer, before it takes the other's place.",
    )

    gate_win_share: float = Field(
        default=0.5,
        ge=0,
        lt=1,
        description="Share of gate_prompts of which it must win more against the active version; ties count half.",
    )

    gate_judge: Literal["policy", "reference"] = Field(
        default="policy", description="Who judges that: the active version's weights, or the base model's."
    )

    gate_max_tokens: int = Field(
        default=512, ge=1, description="Longest answer sampled for gate_prompts, in tokens; within the model's context."
    )

    admin_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Keys for the routes that change what is served, separated by commas or as a JSON list; none "
        "closes them.",
    )

    max_candidates: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Candidates in flight at once, of all requests together; what weighs more runs alone. "
        "If unset, as many as the engine has room for.",
    )

    max_tournaments: int | None = Field(
        default=None, ge=1, description="Tournaments running at once; if unset, only their candidates are limited."
    )

    max_waiting: int = Field(
        default=1000, ge=0, le=100_000, description="Requests waiting for admission at once; 0: none waits."
    )

    queue_seconds: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="Longest wait for admission; then 429 is answered, and at once where no room is expected in time.",
    )

    queue_share: float | None = Field(
        default=None,
        gt=0,
        description="Share of max_candidates that those waiting may weigh before others are refused; 0.25 holds "
        "latency under overload, by more refusals. If unset, only queue_seconds and max_waiting limit the queue.",
    )

    key_max_requests: int | None = Field(
        default=None, ge=1, description="Requests of one API key running or waiting at once; no limit if unset."
    )

    key_max_candidates: int | None = Field(
        default=None, ge=1, description="Candidates of one API key running or waiting at once; no limit if unset."
    )

    client_seconds: float = Field(
        default=60.0,
        ge=1,
        le=3600,
        description="Longest wait for a client to send its whole request, or to take what it is sent, in seconds.",
    )

    bracket_log: Path | None = Field(
        default=None, description="Folder to log tournaments in, for training; without it none are logged."
    )

    bracket_log_share: float = Field(default=1.0, ge=0, le=1, description="Share of the tournaments that is logged.")

    bracket_log_max_mib: float = Field(
        default=1024.0,
        gt=0,
        description="Most that bracket_log may hold, in MiB; once it does, nothing is added, and nothing deleted.",
    )

    log_format: Literal["text", "json"] = Field(
        default="text", description="Lines of the log: text for a person at a terminal, json for what stores logs."
    )

    log_prompts: bool = Field(default=False, description="Log what requests ask; otherwise logs hold no prompt text.")

    otlp_endpoint: str | None = Field(
        default=None,
        pattern="^https?://",
        description="Collector to send traces of tournaments to by OTLP over HTTP, such as http://collector:4318.",
    )

    drain_seconds: float = Field(
        default=60.0,
        ge=0,
        le=3600,
        description="After SIGTERM, longest time for finishing the requests under way; the rest is answered 503.",
    )

    watchdog_seconds: float = Field(
        default=60.0,
        ge=1,
        le=3600,
        description="Silence after which the engine is taken to hang, and is replaced; must be longer than its "
        "longest step. selfjudge-serve's own default is 600 on CPUs and 5 for the model that ships.",
    )

    max_engine_failures: int = Field(
        default=5, ge=1, le=1000, description="Failures of the engine in a row after which the server gives up."
    )

    @field_validator("default_best_of_n")
    @classmethod
    def _default_within_limit(cls, value: int, info: ValidationInfo) -> int:
        if value > (limit := info.data.get("max_best_of_n", value)):
            raise ValueError(f"must not exceed max_best_of_n, which is {limit}")
        return value

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
