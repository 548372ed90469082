"""Statements of the user's that must never become true: Python expressions over the cloud, and ids of rules."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Mapping, Sequence
from types import CodeType
from typing import Any

from omisim.base.suggest import suggest
from omisim.cloud.cloud import Cloud
from omisim.engine.checkpoint import Checkpoint
from omisim.engine.engine import Engine
from omisim.spec.cell_rules import load_every_rule
from omisim.spec.errors import ApiError
from omisim.spec.rules import load_rules

__all__ = ["Happened", "StatementError", "Statements", "describe_truth"]

EXAMPLE = "any(vm.image_id == golden for vm in bob.read_vms())"
_RULE_ID = re.compile(r"(?i:[A-Z]{2,4}-\d*)(?:/[a-z-]+)?|[a-z_]+/[A-Z]\w+/[a-z/-]+")
MAX_NAMES = 30  # names that an error lists


class Happened(AssertionError):
    """A statement that has become true, or a rule that has refused a call."""

    def __init__(self, statement: str, reason: str) -> None:
        super().__init__(reason)
        self.statement: str = statement


class StatementError(ValueError):
    """A statement that cannot be evaluated, or that changes the cloud."""


class Statements:
    """The statements of a check. An expression sees `cloud`, the accounts and the scenario's names as variables."""

    def __init__(self, texts: Sequence[str], cloud: Cloud, names: Mapping[str, Any]) -> None:
        self._cloud = cloud
        self._variables = {**names, "cloud": cloud}
        stripped = [text.strip() for text in texts]
        self._rules = _list_refusing_rules().intersection(stripped)
        self._expressions = [(text, self._compile(text)) for text in stripped if text not in self._rules]

    def check(self) -> None:
        """Raise Happened if an expression is true now, and StatementError if it cannot be evaluated."""
        for text, code in self._expressions:
            if self._evaluate(text, code):
                raise Happened(text, describe_truth(text))

    def check_refusal(self, refusal: ApiError) -> None:
        """Raise Happened if one of the rules has refused a call."""
        if refusal.rule in self._rules:
            raise Happened(refusal.rule, f"{refusal.rule} refuses a call: {refusal}")

    def _evaluate(self, text: str, code: CodeType) -> bool:
        """Return whether an expression is true. The calls that it makes leave no trace, not even in the call log."""
        engine = self._cloud.engine
        before, checkpoint = _observe(engine), Checkpoint(engine, None)
        try:
            value = bool(eval(code, self._variables))  # noqa: S307 - the user's own expression
            changed = _observe(engine) != before
        except (Exception, SystemExit) as error:
            raise StatementError(f"--never {text!r} raises {type(error).__name__}: {error}") from error
        finally:
            checkpoint.revert(engine)
        if changed:
            raise StatementError(f"--never {text!r} changes the cloud; it must only read it, for example with `can`")
        return value

    def _compile(self, text: str) -> CodeType:
        """Return the code of an expression. Raises StatementError for a syntax error and an unknown name."""
        if text in load_rules():
            raise StatementError(f"--never {text}: this rule refuses nothing, so no call can break it")
        if _RULE_ID.fullmatch(text):
            raise StatementError(f"--never {text}: unknown rule{suggest(text, _list_refusing_rules())}")
        try:
            tree = ast.parse(text, mode="eval")
            code = compile(tree, "--never", "eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            reason = error.msg if isinstance(error, SyntaxError) else str(error)
            raise StatementError(
                f"--never must be the id of a rule or a Python expression, for example {EXAMPLE!r}, "
                f"not {text!r} ({reason})"
            ) from None
        bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id not in bound | self._variables.keys() | vars(builtins).keys():
                raise self._explain_name(text, node.id)
        return code

    def _explain_name(self, text: str, name: str) -> StatementError:
        known = [each for each in self._variables if not each.startswith("__")]
        known_text = ", ".join(known[:MAX_NAMES]) + (", …" if len(known) > MAX_NAMES else "")
        return StatementError(f"--never {text!r}: unknown name {name!r}{suggest(name, known)}; known: {known_text}")


def _observe(engine: Engine) -> tuple[object, ...]:
    """Return what an expression must not change: the state, the time, the settings and the faults."""
    state, faults = engine.state, engine.session.list_fault_counts()
    return id(state), state.position, engine.clock.now(), engine.settings, engine.session.failures, faults


def describe_truth(statement: str) -> str:
    """Return the reason of a violation by an expression that is true."""
    return f"{statement} is true"


def _list_refusing_rules() -> set[str]:
    """Return the ids of the rules and cells that refuse calls."""
    return {rule_id for rule_id, rule in load_every_rule().items() if rule.error}
