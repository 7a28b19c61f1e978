"""From configuration to the judges and policies that it names; each model folder is loaded once."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from selfjudge import JudgmentTemplate, load_templates
from selfjudge.adapters import check_adapter
from selfjudge_training.evaluation.chat_judge import ChatJudge
from selfjudge_training.evaluation.evaluation_config import JudgeSource, PolicySource
from selfjudge_training.evaluation.journal import Journal, kept_judge, kept_policy
from selfjudge_training.evaluation.judges import Judge, model_judge, server_judge
from selfjudge_training.evaluation.policies import Policy, model_policy, server_policy
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.endpoint import Endpoint
from selfjudge_training.run.named_model import require_folder

JOURNAL = "journal.jsonl"
"""Its name in the folder of an evaluation."""


class Sources:
    """What its policies and judges say is kept in the journal; who closes the stack closes their connections."""

    def __init__(self, journal: Journal, stack: ExitStack) -> None:
        self._journal, self._stack = journal, stack
        self._model = cache(_load)

    def judge(self, source: JudgeSource, adapter: Path | None = None) -> Judge:
        """Who judges, without any adapter that its folder is loaded with already. Raises ConfigError, EndpointError."""
        judge: Judge
        if source.kind == "server":
            judge = server_judge(self._endpoint(source), source.template, source.model)
        else:
            template = find_template(source.template)
            if source.kind == "chat":
                judge = ChatJudge(self._endpoint(source), str(source.model), template, source.max_tokens)
            else:
                judge = model_judge(self._model(source.at, adapter), template)
        return kept_judge(judge, self._journal, _identity(source))

    def policy(self, source: PolicySource) -> Policy:
        """Who answers. Raises ConfigError, EndpointError, AdapterError."""
        policy: Policy
        if source.kind == "server":
            policy = server_policy(self._endpoint(source), str(source.model))
        else:
            policy = model_policy(self._model(source.at, source.adapter))
        return kept_policy(policy, self._journal, _identity(source))

    def own_judge(self, source: PolicySource, template: str) -> Judge:
        """The policy as its own judge: the same copy of the weights, or the same server."""
        same = source.model_dump(include={"kind", "at", "model", "key_variable"})
        return self.judge(JudgeSource(**same, template=template), source.adapter)

    def _endpoint(self, source: JudgeSource | PolicySource) -> Endpoint:
        return self._stack.enter_context(closing(Endpoint(source.at, source.key_variable)))


@contextmanager
def open_sources(folder: Path) -> Iterator[Sources]:
    """Sources whose journal is in a folder; it goes when all is done, as a model may change before the next time."""
    journal = folder / JOURNAL
    with ExitStack() as stack:
        yield Sources(Journal(journal), stack)
    journal.unlink(missing_ok=True)


def _identity(source: JudgeSource | PolicySource) -> str:
    """What tells it from others, and a folder from what it was before it changed."""
    folders = [Path(source.at)] if source.kind == "folder" else []
    if isinstance(source, PolicySource) and source.adapter:
        folders.append(source.adapter)
    files = [(str(file), file.stat()) for folder in folders for file in sorted(folder.iterdir())]
    return f"{source.model_dump_json()} {[(name, stat.st_size, stat.st_mtime_ns) for name, stat in files]}"


def _load(folder: str, adapter: Path | None) -> HuggingFaceRollOuts:
    require_folder(Path(folder), "at")
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
