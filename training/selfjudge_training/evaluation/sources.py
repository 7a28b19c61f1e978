"""From configuration to the judges and policies that it names; each model folder is loaded once."""

from contextlib import ExitStack
from pathlib import Path
from typing import Self

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from selfjudge import JudgmentTemplate, load_templates
from selfjudge.adapters import check_adapter
from selfjudge_training.evaluation.evaluation_config import JudgeSource, PolicySource
from selfjudge_training.evaluation.journal import Journal, KeptJudge, KeptPolicy
from selfjudge_training.evaluation.judges.chat_judge import ChatJudge
from selfjudge_training.evaluation.judges.judgment import Judge
from selfjudge_training.evaluation.judges.model_judge import ModelJudge
from selfjudge_training.evaluation.judges.server_judge import ServerJudge
from selfjudge_training.evaluation.policy.policies import ModelPolicy, Policy, ServerPolicy
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.endpoint import Endpoint


class Sources:
    """A context manager, as it holds connections. What its policies and judges say is kept in the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._stack = ExitStack()
        self._models: dict[tuple[str, Path | None], HuggingFaceRollOuts] = {}

    def judge(self, source: JudgeSource, adapter: Path | None = None) -> Judge:
        """Who judges, without any adapter that its folder is loaded with already.

        Raises ConfigError for an unknown template, EndpointError, FileNotFoundError.
        """
        return KeptJudge(self._judge(source, adapter), self._journal, _identity(source))

    def _judge(self, source: JudgeSource, adapter: Path | None) -> Judge:
        if source.kind == "server":
            return ServerJudge(self._endpoint(source.at, source.key_variable), source.template, source.model)
        template = find_template(source.template)
        if source.kind == "chat":
            endpoint = self._endpoint(source.at, source.key_variable)
            return ChatJudge(endpoint, str(source.model), template, source.max_tokens)
        return ModelJudge(self._model(source.at, adapter), template)

    def policy(self, source: PolicySource) -> Policy:
        """Who answers. Raises EndpointError, FileNotFoundError, AdapterError."""
        policy: Policy
        if source.kind == "server":
            policy = ServerPolicy(self._endpoint(source.at, source.key_variable), str(source.model))
        else:
            policy = ModelPolicy(self._model(source.at, source.adapter))
        return KeptPolicy(policy, self._journal, _identity(source))

    def own_judge(self, source: PolicySource, template: str) -> Judge:
        """The policy as its own judge: the same copy of the weights, or the same server."""
        same = source.model_dump(include={"kind", "at", "model", "key_variable"})
        return self.judge(JudgeSource(**same, template=template), source.adapter)

    def _endpoint(self, base_url: str, key_variable: str | None) -> Endpoint:
        return self._stack.enter_context(Endpoint(base_url, key_variable))

    def _model(self, folder: str, adapter: Path | None) -> HuggingFaceRollOuts:
        if (folder, adapter) not in self._models:
            self._models[folder, adapter] = _load(Path(folder), adapter)
        return self._models[folder, adapter]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _identity(source: JudgeSource | PolicySource) -> str:
    """What tells it from others, and a folder from what it was before it changed."""
    folders = [Path(source.at)] if source.kind == "folder" else []
    if isinstance(source, PolicySource) and source.adapter:
        folders.append(source.adapter)
    files = [
        (file.name, file.stat().st_size, file.stat().st_mtime_ns)
        for folder in folders
        for file in sorted(folder.iterdir())
    ]
    return f"{source.model_dump_json()} {files}"


def _load(folder: Path, adapter: Path | None) -> HuggingFaceRollOuts:
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder} holds no model (no config.json)")
    on_gpu = torch.cuda.is_available()
    # Half precision is slow on CPUs, and not what a model was measured in that was trained on one.
    dtype = "auto" if on_gpu else torch.float32
    model: PreTrainedModel | PeftModel = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, local_files_only=True
    )
    torch.nn.Module.to(model, "cuda" if on_gpu else "cpu")
    if adapter is not None:
        check_adapter(adapter, {name: tuple(weight.shape) for name, weight in model.named_parameters()})
        model = PeftModel.from_pretrained(model, adapter)
    return HuggingFaceRollOuts(model, AutoTokenizer.from_pretrained(folder, local_files_only=True))


def find_template(name: str) -> JudgmentTemplate:
    """One of the paper's templates by its name. Raises ConfigError naming those that there are."""
    templates = load_templates()
    if name not in templates:
        raise ConfigError(f"no judgment template is called {name!r}; known are {', '.join(sorted(templates))}")
    return templates[name]
