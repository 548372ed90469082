"""The tour: lessons about OMIs, for the terminal (`omisim tour`), for Python and notebooks (`omisim.teach`)."""

from __future__ import annotations

from omisim.tools.tour.course import Answer, Lesson, Played, Step, Walk, lesson, lessons, start

__all__ = ["Answer", "Lesson", "Played", "Step", "Walk", "lesson", "lessons", "start"]
