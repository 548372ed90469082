"""Lessons: loading them, playing their steps in a new cloud, and judging their goals."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from functools import cache
from html import escape
from importlib.util import find_spec
from io import StringIO
from typing import Any

from omisim.base.data_files import load_toml
from omisim.base.frozen import frozen
from omisim.base.hosts import DEFAULT_REGION
from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud
from omisim.spec.cell_rules import get_statement
from omisim.state.settings import Timing
from omisim.tools.tour.goals import GOALS

__all__ = ["ACCOUNTS", "Answer", "Lesson", "Played", "Step", "Walk", "lesson", "lessons", "start"]

ACCOUNTS: Mapping[str, str] = {"alice": DEFAULT_REGION, "bob": DEFAULT_REGION, "carol": "us-east-2"}
MAX_LINES = 40  # of a shown value
_MODULES = {"oos": ("boto3", "moto")}


@frozen()
class Step:
    """One step of a lesson: text (`say`), code to run (`run`), or a question (`ask`) about a call.

    `before` is code that runs before a question. `by` names the account of the call, `action` and `parameters` are the
    call, and `because` is the rule behind a yes. `needs` is the extra without which the step is skipped.
    """

    say: str = ""
    run: str = ""
    ask: str = ""
    before: str = ""
    by: str = ""
    action: str = ""
    parameters: str = ""
    because: str = ""
    needs: str = ""


@frozen()
class Answer:
    """The model's answer to a question: whether the call would succeed, and why."""

    yes: bool
    why: str
    rule: str = ""

    def __str__(self) -> str:
        """Return the answer as a sentence."""
        return f"{'Yes' if self.yes else 'No'}. {self.why}".strip()


@frozen()
class Played:
    """A step that was played: its output, and the answer if it is a question."""

    step: Step
    output: str = ""
    answer: Answer | None = None

    def __str__(self) -> str:
        """Return the step and its result as text."""
        question = f"{self.step.ask}\n{self.answer}" if self.answer else ""
        return "\n".join(filter(None, (self.step.say, self.step.run, self.output, question)))

    def _repr_html_(self) -> str:
        """Show the step in a notebook; the answer of a question opens on a click."""
        if self.answer is not None:
            answer = f"<details><summary>Answer</summary>{escape(str(self.answer))}</details>"
            return f"<p><b>{escape(self.step.ask)}</b></p>{answer}"
        text = "".join(f"<p>{escape(part)}</p>" for part in self.step.say.split("\n\n") if part)
        code = f"<pre><code>{escape(self.step.run)}</code></pre>" if self.step.run else ""
        return text + code + (f"<pre>{escape(self.output)}</pre>" if self.output else "")


@frozen()
class Lesson:
    """A lesson: its number and title, its steps, and the goal that the student reaches with the SDK."""

    number: int
    title: str
    goal: str
    steps: tuple[Step, ...]
    predicate: str
    timing: Timing = "eager"

    def check(self, cloud: Cloud) -> str:
        """Judge a cloud: return what is still missing, or "" when the goal is reached."""
        return GOALS[self.predicate](cloud)

    def walk(self) -> Walk:
        """Return the lesson in a new cloud, to play its steps one by one."""
        return Walk(self)

    def play(self) -> tuple[Played, ...]:
        """Play every step in a new cloud."""
        return tuple(self.walk())

    def __str__(self) -> str:
        """Return the number and the title."""
        return f"Lesson {self.number}: {self.title}"

    def _repr_html_(self) -> str:
        """Show the lesson in a notebook, with every step played."""
        steps = "".join(played._repr_html_() for played in self.play())
        return f"<h2>{escape(str(self))}</h2>{steps}<p><b>Goal:</b> {escape(self.goal)}</p>"


class Walk:
    """A lesson in progress: its cloud, the names that its code has defined, and the steps that are left."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self.cloud: Cloud = start(lesson.timing)
        self._steps = iter(lesson.steps)
        self._names: dict[str, Any] = {"cloud": self.cloud, **{name: self.cloud.account(name) for name in ACCOUNTS}}

    def __iter__(self) -> Iterator[Played]:
        """Play the steps that are left."""
        for step in self._steps:
            yield self.play(step)

    def play(self, step: Step) -> Played:
        """Play one step."""
        missing = [module for module in _MODULES.get(step.needs, ()) if find_spec(module) is None]
        if missing:
            return Played(step, f"(skipped: it needs pip install 'omisim[{step.needs}]')")
        if step.before:
            self._execute(step.before)
        if step.ask:
            return Played(step, answer=self._answer(step))
        return Played(step, self._execute(step.run) if step.run else "")

    def _execute(self, code: str) -> str:
        """Run code of a lesson and return what it prints, and the value of its last expression."""
        tree = ast.parse(code)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        printed = StringIO()
        with redirect_stdout(printed):
            exec(compile(tree, "<lesson>", "exec"), self._names)  # noqa: S102 - the lessons are part of omisim
            value = self._evaluate(ast.unparse(last.value)) if isinstance(last, ast.Expr) else None
        return f"{printed.getvalue()}{'' if value is None else _show(value)}".rstrip("\n")

    def _evaluate(self, code: str) -> Any:
        return eval(code, self._names)  # noqa: S307 - the lessons are part of omisim

    def _answer(self, step: Step) -> Answer:
        """Return the model's answer: whether the call would succeed, and the rule."""
        account: Account = self._names[step.by]
        errors = account.why_not(step.action, **self._evaluate(step.parameters))
        if not errors:
            why = f"{get_statement(step.because)} ({step.because})" if step.because else ""
            return Answer(yes=True, why=why, rule=step.because)
        error = errors[0]
        why = f"{error.details} {get_statement(error.rule)} ({error.rule}, code {error.code})"
        return Answer(yes=False, why=why, rule=error.rule)


def _show(value: Any) -> str:
    if isinstance(value, str):
        return value
    lines = json.dumps(value, indent=2, default=str).splitlines()
    return "\n".join(lines[:MAX_LINES] + (["…"] if len(lines) > MAX_LINES else []))


def start(timing: Timing = "eager") -> Cloud:
    """Return a new cloud with the accounts of the lessons: alice and bob in eu-west-2, carol in us-east-2."""
    cloud = Cloud(timing=timing)
    for name, region in ACCOUNTS.items():
        cloud.account(name, region=region)
    return cloud


@cache
def lessons() -> tuple[Lesson, ...]:
    """Return all lessons in order."""
    rows = load_toml("omisim.tools.tour", "lessons.toml")["lesson"]
    return tuple(
        Lesson(
            number=number,
            title=row["title"],
            goal=row["goal"],
            steps=tuple(Step(**{name: _unfold(name, text) for name, text in step.items()}) for step in row["step"]),
            predicate=row["check"],
            timing=row.get("timing", "eager"),
        )
        for number, row in enumerate(rows, 1)
    )


def _unfold(name: str, text: str) -> str:
    """Return the text of a step; the lines of a paragraph are joined, so that it can be wrapped anew."""
    if name != "say":
        return text.strip()
    return "\n\n".join(" ".join(part.split()) for part in text.strip().split("\n\n"))


def lesson(number: int) -> Lesson:
    """Return a lesson by its number. Raises ValueError for an unknown one."""
    if type(number) is not int or not 1 <= number <= len(lessons()):
        raise ValueError(f"lesson must be a number from 1 to {len(lessons())}, not {number!r}")
    return lessons()[number - 1]
