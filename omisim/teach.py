"""Lessons about OMIs: `teach.lesson(1)` shows itself in a notebook, and `teach.lesson(1).check(cloud)` judges a cloud.

`omisim tour` shows the same lessons in a terminal.
"""

from __future__ import annotations

from omisim.tools.tour import Answer, Lesson, Played, Step, Walk, lesson, lessons, start

__all__ = ["Answer", "Lesson", "Played", "Step", "Walk", "lesson", "lessons", "start"]
