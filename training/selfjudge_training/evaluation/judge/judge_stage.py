"""`evaluate judge` as a function: from a configuration to a folder with the report."""

import sys
from pathlib import Path

from selfjudge_training.data.records import PreferencePair
from selfjudge_training.data.source import Part
from selfjudge_training.evaluation.evaluation_config import JudgeConfig
from selfjudge_training.evaluation.journal import JOURNAL, Journal
from selfjudge_training.evaluation.judge.judge_figures import evaluate_judge
from selfjudge_training.evaluation.judge.judge_pairs import llmbar_pairs, preference_pairs, sampled_pairs
from selfjudge_training.evaluation.judge.judge_report import judge_report
from selfjudge_training.evaluation.policy.questions import load_questions
from selfjudge_training.evaluation.report import write_report
from selfjudge_training.evaluation.sources import Sources, find_template
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.folder import RunFolder


def run_judge_evaluation(config: JudgeConfig, output: Path) -> list[Path]:
    """Judge every set, write the report into ``output``, and return the paths of its files.

    Goes on where it was killed. Malformed rows of preference files are counted and shown on stderr. Raises ConfigError
    where ``output`` holds an evaluation with another configuration, DataError, EndpointError, FileNotFoundError,
    ValueError for an empty set.
    """
    folder = RunFolder.open(output, config, seed=config.seed)
    journal = Journal(folder.path / JOURNAL)
    with Sources(journal) as sources:
        judge = sources.judge(config.judge)
        results = {name: evaluate_judge(judge, pairs) for name, pairs in _sets(config, sources).items()}
    paths = write_report(judge_report(config.judge.name, results, config.model_dump(mode="json")), folder.path)
    journal.remove()
    return paths


def _sets(config: JudgeConfig, sources: Sources) -> dict[str, list[PreferencePair]]:
    """The pairs of each set by its name."""
    sets = {}
    if config.llmbar:
        sets["LLMBar"] = llmbar_pairs(config.llmbar)
    for source in config.pairs:
        loaded = preference_pairs(source, find_template(config.judge.template))
        name = source.name if source.part is Part.ALL else f"{source.name}, {source.part}"
        if name in sets:
            raise ConfigError(f"pairs: {name} is there twice; name each set once")
        print("\n".join([f"{name}:", *loaded.account("pairs")]), file=sys.stderr)
        sets[name] = loaded.records
    if config.sampled:
        plan = config.sampled
        sets["Right against sampled answers"] = sampled_pairs(
            sources.policy(plan.policy),
            load_questions(plan.questions),
            plan.samples,
            plan.decoding.sampling,
            config.seed,
        )
    return sets
