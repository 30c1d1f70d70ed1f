"""Several explanations side by side, in rounds: what they ask at the same time is asked together.

In each round every explanation is brought to its next question. Questions to the same model about the same images
become one, whose answer each of them receives. Whoever drives the rounds may ask the questions of a round all at once.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from api.types import Answer, Question

Yielded = TypeVar("Yielded")
Sent = TypeVar("Sent")
Returned = TypeVar("Returned")
Asking: TypeAlias = Generator[Question, Answer, Returned]
Rounds: TypeAlias = Generator[Sequence[Question], Sequence[Answer], Mapping[str, Returned]]


def in_rounds(explainers: Mapping[str, Asking[Returned]]) -> Rounds[Returned]:
    """Run explanations to their findings, or whatever they return, by name and in the order given.

    Yields the questions of each round, no two of them to the same model about the same images, and is to be sent their
    answers in the same order.
    """
    findings: dict[str, Returned] = {}
    answers: Mapping[str, Answer | None] = dict.fromkeys(explainers)
    while answers:
        steps = {name: advance(explainers[name], answer) for name, answer in answers.items()}
        findings |= {name: step for name, step in steps.items() if not isinstance(step, Question)}
        questions = {name: step for name, step in steps.items() if isinstance(step, Question)}
        answers = (yield from _ask(questions)) if questions else {}
    return {name: findings[name] for name in explainers}


def advance(generator: Generator[Yielded, Sent, Returned], sent: Sent | None) -> Yielded | Returned:
    """Send a generator what it waits for, None to start it. Give what it yields next, or returns."""
    try:
        return next(generator) if sent is None else generator.send(sent)
    except StopIteration as stop:
        returned: Returned = stop.value
        return returned


def _ask(questions: Mapping[str, Question]) -> Generator[Sequence[Question], Sequence[Answer], Mapping[str, Answer]]:
    alike: dict[tuple[str, tuple[int, ...]], list[Question]] = {}
    for question in questions.values():
        alike.setdefault(_key(question), []).append(question)
    answers = yield [_merge(group) for group in alike.values()]
    by_key = dict(zip(alike, answers, strict=True))
    return {name: _part(by_key[_key(question)], question) for name, question in questions.items()}


def _key(question: Question) -> tuple[str, tuple[int, ...]]:
    # The arrays themselves are compared, not their content: methods that look at one radiograph share its array.
    return question.model, tuple(id(image) for image in question.images)


def _merge(alike: Sequence[Question]) -> Question:
    outputs = _union(question.outputs for question in alike)
    # One method that relies on finite values is enough to make anything else an error.
    relied_on = {name for question in alike for name in question.outputs if name not in question.may_be_non_finite}
    return Question(alike[0].model, alike[0].images, outputs, frozenset(outputs) - relied_on)


def _union(outputs: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in outputs for name in names))


def _part(answer: Answer, question: Question) -> Answer:
    return {name: answer[name] for name in question.outputs}
