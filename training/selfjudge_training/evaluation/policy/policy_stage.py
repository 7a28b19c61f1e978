"""`evaluate policy` as a function: from a configuration to a folder with the report and the outputs."""

from collections.abc import Sequence
from pathlib import Path

from selfjudge_training.evaluation.evaluation_config import PolicyConfig
from selfjudge_training.evaluation.judges import Judge, answer_judge
from selfjudge_training.evaluation.policies import Answer, answer_questions
from selfjudge_training.evaluation.policy.policy_report import add_comparison, add_sweep, compare, policy_report
from selfjudge_training.evaluation.policy.questions import (
    Outputs,
    Question,
    answer_key,
    load_outputs,
    load_questions,
    write_outputs,
)
from selfjudge_training.evaluation.policy.sweep import run_sweep
from selfjudge_training.evaluation.report import write_report
from selfjudge_training.evaluation.sources import Sources, open_sources
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.folder import RunFolder


def run_policy_evaluation(config: PolicyConfig, output: Path) -> list[Path]:
    """Have questions answered, measure the answers, and write report and outputs into ``output``; returns the paths.

    Goes on where it was killed. Outputs are in AlpacaEval's format: `outputs.json`, and for each N of a sweep
    `outputs-best-of-N.json`. Raises ConfigError where ``output`` holds an evaluation with another configuration,
    DataError, EndpointError, PromptError, FileNotFoundError.
    """
    folder = RunFolder.open(output, config, seed=config.seed).path
    questions = load_questions(config.questions)
    baseline = load_outputs(config.baseline, questions) if config.baseline else None
    with open_sources(folder) as sources:
        judge = _judge(config, sources, questions)
        name, answers = _answers(config, sources, questions)
        own = Outputs(name, [answer.text for answer in answers])
        outputs = {"outputs.json": own}
        report = policy_report(name, questions, answers, config.model_dump(mode="json"))
        if baseline:
            judgments = compare(judge, questions, own.texts, baseline.texts)
            add_comparison(report, questions, own, baseline, judgments)
        if plan := config.sweep:
            policy, sampling = sources.policy(config.policy), config.decoding.sampling
            referee = sources.judge(plan.judge) if plan.judge else sources.own_judge(config.policy, plan.template)
            sweep = run_sweep(plan, policy, referee, judge, questions, baseline, sampling, config.seed)
            add_sweep(report, name, sweep.figures)
            for size, texts in sweep.picks.items():
                outputs[f"outputs-best-of-{size}.json"] = Outputs(f"{name}-best-of-{size}", texts)
        for file, given in outputs.items():
            write_outputs(folder / file, questions, given)
        return [*(folder / file for file in outputs), *write_report(report, folder)]


def _judge(config: PolicyConfig, sources: Sources, questions: Sequence[Question]) -> Judge:
    if config.judge.kind == "answers":
        key = answer_key(questions)
        if not key:
            raise ConfigError(f"judge.kind is 'answers': every row of {config.questions} should have an 'answer'")
        return answer_judge(key)
    return sources.judge(config.judge)


def _answers(config: PolicyConfig, sources: Sources, questions: Sequence[Question]) -> tuple[str, list[Answer]]:
    """Who answers, and what."""
    if config.policy.kind == "outputs":
        given = load_outputs(Path(config.policy.at), questions)
        return given.generator, [Answer(text, finished=True) for text in given.texts]
    policy = sources.policy(config.policy)
    return config.policy.name, answer_questions(policy, questions, config.decoding.sampling, config.seed)
