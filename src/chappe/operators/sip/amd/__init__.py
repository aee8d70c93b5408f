"""Answering-machine and beep detection: who answered, and when a machine records."""

from __future__ import annotations

from typing import Final

DETECTOR: Final = "chappe.operators.sip.amd.detector:AnsweringDetector"
"""As the media process is told whom to load: nobody else needs numpy for it."""
