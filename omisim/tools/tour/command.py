"""`omisim tour`: the lessons in a terminal, with pauses and predictions, and the check of their goals."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.syntax import Syntax

from omisim.base.home import find_home
from omisim.tools.look import open_cloud
from omisim.tools.output import get_width
from omisim.tools.tour.course import Lesson, Played, lesson, lessons
from omisim.tools.tour.practice import run_script
from omisim.tools.tour.progress import Progress

__all__ = ["Tour", "run"]

HELP = """\
Write a Python script. In it, alice, bob and carol are Gateways of the real SDK:
    answer = alice.ReadImages(Filters={{"AccountAliases": ["Outscale"]}})
cloud.account("alice") is the alice of this lesson (call, account_id, client).
Let it be judged: omisim tour --lesson {number} --check SCRIPT.py
In another language, run: omisim serve --account alice --account bob --account carol@us-east-2
and have it judged: omisim tour --lesson {number} --check --url URL --token TOKEN"""


def run(options: argparse.Namespace) -> int:
    """Run the command, and return its exit status."""
    console = Console(highlight=False, width=get_width(), soft_wrap=False)
    tour = Tour(console, Progress(os.environ, find_home()), pause=_choose_pause(options))
    if options.restart:
        tour.progress.clear()
    if options.check is not None:
        return tour.check(_judge_all(options))
    if options.list:
        return tour.show_list()
    return tour.play(options.lesson)


def _choose_pause(options: argparse.Namespace) -> Callable[[str], str]:
    """Return the function that asks the student: without a terminal, and with --yes, it does not wait."""
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and not options.yes
    return input if interactive else lambda _: ""


def _judge_all(options: argparse.Namespace) -> list[tuple[Lesson, str]]:
    """Return the judged lessons, each with what is missing."""
    chosen = lessons() if options.lesson is None else (lesson(options.lesson),)
    if not options.check:
        if not (options.scenario or options.state or options.url):
            raise ValueError("--check needs a SCRIPT, or a cloud: --url URL, --state FILE or --scenario NAME")
        cloud = open_cloud(options)
        return [(each, each.check(cloud)) for each in chosen]
    if options.lesson is None:
        raise ValueError("--check SCRIPT needs --lesson N: the script begins in the cloud of that lesson")
    return [(each, each.check(run_script(each, Path(options.check)))) for each in chosen]


class Tour:
    """The tour on a console. `pause` asks the student with a prompt, and returns the answer."""

    def __init__(self, console: Console, progress: Progress, pause: Callable[[str], str]) -> None:
        self.console = console
        self.progress = progress
        self._pause = pause

    def show_list(self) -> int:
        """Print the lessons, with marks at those that were read and reached."""
        for each in lessons():
            read = "read" if each.number in self.progress.read else ""
            reached = "goal reached" if each.number in self.progress.reached else read
            self.console.print(f"{each.number:>2}  {each.title:<48} [green]{reached}[/green]")
        return 0

    def check(self, judged: list[tuple[Lesson, str]]) -> int:
        """Print the judgement of each lesson; return 0 if every goal is reached."""
        for each, missing in judged:
            if missing:
                self.console.print(f"[red]✗[/red] {each}: {escape(missing)}")
                self.console.print(Padding(f"[dim]Goal: {escape(each.goal)}[/dim]", (0, 0, 0, 2), expand=False))
            else:
                self.progress.reached.add(each.number)
                self.console.print(f"[green]✓[/green] {each}: the goal is reached")
        self.progress.save()
        return int(any(missing for _, missing in judged))

    def play(self, number: int | None) -> int:
        """Play one lesson, or without a number all that were not read yet; if all were, all again."""
        unread = [each for each in lessons() if each.number not in self.progress.read] or list(lessons())
        for each in [lesson(number)] if number is not None else unread:
            stays = self._play_lesson(each)
            if not stays:
                break
        return 0

    def _play_lesson(self, lesson: Lesson) -> bool:
        """Play a lesson; return whether the student stayed until its end."""
        self.console.rule(f"[bold]{escape(str(lesson))}[/bold]", align="left")
        walk = lesson.walk()
        for step in lesson.steps:
            reply = ""
            if step.ask:
                self.console.print(f"[bold yellow]?[/bold yellow] [bold]{escape(step.ask)}[/bold]")
                reply = self._pause("  Your prediction, yes or no (q ends): ").strip().lower()
            elif step.run:
                self.console.print(Syntax(step.run, "python", background_color="default", word_wrap=True))
                reply = self._pause("  Enter runs it (q ends) ").strip().lower()
            if reply == "q":
                return False
            self._show(walk.play(step), reply)
        self.console.print(f"[bold]Goal:[/bold] {escape(lesson.goal)}")
        self.console.print(f"[dim]{escape(HELP.format(number=lesson.number))}[/dim]\n")
        self.progress.read.add(lesson.number)
        self.progress.save()
        return self._pause("Enter goes on (q ends) ").strip().lower() != "q"

    def _show(self, played: Played, reply: str) -> None:
        if played.answer is not None:
            mark = ""
            if reply[:1] in ("y", "n"):
                is_right = played.answer.yes == reply.startswith("y")
                mark = "[green]Right.[/green] " if is_right else "[red]Not so.[/red] "
            self.console.print(Padding(f"{mark}{escape(str(played.answer))}\n", (0, 0, 0, 2), expand=False))
        elif played.step.say:
            self.console.print(f"{escape(played.step.say)}\n")
        elif played.output:
            self.console.print(f"[cyan]{escape(played.output)}[/cyan]\n")
