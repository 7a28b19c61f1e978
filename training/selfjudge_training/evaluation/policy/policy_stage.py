"""`evaluate policy` as a function: from a configuration to a folder with the report and the outputs."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from selfjudge_training.evaluation.evaluation_config import PolicyConfig
from selfjudge_training.evaluation.journal import JOURNAL, Journal
from selfjudge_training.evaluation.judges.judgment import AnswerJudge, Judge
from selfjudge_training.evaluation.policy.policies import Answer, answer_questions
from selfjudge_training.evaluation.policy.policy_figures import answer_figures, compare_outputs
from selfjudge_training.evaluation.policy.policy_report import PolicyEvaluation, policy_report
from selfjudge_training.evaluation.policy.questions import (
    Outputs,
    Question,
    answer_key,
    load_outputs,
    load_questions,
    write_outputs,
)
from selfjudge_training.evaluation.policy.sweep import Plan, Sweep, Sweeper
from selfjudge_training.evaluation.report import write_report
from selfjudge_training.evaluation.sources import Sources
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.folder import RunFolder


class _Answered(NamedTuple):
    generator: str
    answers: list[Answer]

    @property
    def outputs(self) -> Outputs:
        return Outputs(self.generator, [answer.text for answer in self.answers])


def run_policy_evaluation(config: PolicyConfig, output: Path) -> list[Path]:
    """Have questions answered, measure the answers, and write report and outputs into ``output``; returns the paths.

    Goes on where it was killed. Outputs are in AlpacaEval's format: `outputs.json`, and for each N of a sweep
    `outputs-best-of-N.json`. Raises ConfigError where ``output`` holds an evaluation with another configuration,
    DataError, EndpointError, PromptError, FileNotFoundError.
    """
    folder = RunFolder.open(output, config, seed=config.seed).path
    questions = load_questions(config.questions)
    baseline = load_outputs(config.baseline, questions) if config.baseline else None
    journal = Journal(folder / JOURNAL)
    with Sources(journal) as sources:
        judge = _judge(config, sources, questions)
        answered = _answer(config, sources, questions)
        comparison = compare_outputs(judge, questions, answered.outputs, baseline) if baseline else None
        sweep = _sweep(config, sources, judge, questions, baseline)
    result = PolicyEvaluation(
        answered.generator,
        answer_figures(questions, answered.answers),
        comparison,
        sweep.points if sweep else None,
    )
    write_outputs(folder / "outputs.json", questions, answered.outputs)
    paths = [folder / "outputs.json"]
    for size, texts in sweep.picks.items() if sweep else ():
        paths.append(folder / f"outputs-best-of-{size}.json")
        write_outputs(paths[-1], questions, Outputs(f"{answered.generator}-best-of-{size}", texts))
    paths += write_report(policy_report(result, config.model_dump(mode="json")), folder)
    journal.remove()
    return paths


def _judge(config: PolicyConfig, sources: Sources, questions: Sequence[Question]) -> Judge:
    if config.judge.kind == "answers":
        key = answer_key(questions)
        if key is None:
            raise ConfigError(f"judge.kind is 'answers': every row of {config.questions} should have an 'answer'")
        return AnswerJudge(key)
    return sources.judge(config.judge)


def _answer(config: PolicyConfig, sources: Sources, questions: Sequence[Question]) -> _Answered:
    if config.policy.kind == "outputs":
        given = load_outputs(Path(config.policy.at), questions)
        return _Answered(given.generator, [Answer(text, finished=True) for text in given.texts])
    answers = answer_questions(sources.policy(config.policy), questions, config.decoding.sampling, config.seed)
    return _Answered(config.policy.name, answers)


def _sweep(
    config: PolicyConfig, sources: Sources, judge: Judge, questions: Sequence[Question], baseline: Outputs | None
) -> Sweep | None:
    if config.sweep is None:
        return None
    section = config.sweep
    own = sources.judge(section.judge) if section.judge else sources.own_judge(config.policy, section.template)
    plan = Plan(section.sizes, section.groups, config.decoding.sampling, config.seed)
    return Sweeper(sources.policy(config.policy), own, judge, plan).run(questions, baseline)
