"""What the detector says of answers, all of which it hears at the same time, as in the media process."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from chappe.operators.sip.amd.detector import AnsweringDetector
from chappe.operators.sip.media.detector import Finding, Piece
from tests.support.answers.calls import Answer

FRAME = 160
READY_MS_MAX = 3500
"""After a beep or the end of a greeting: later has kept a mailbox waiting."""


@dataclass(frozen=True)
class Judged:
    """`findings`: milliseconds from the answer, and what was told."""

    answer: Answer
    findings: tuple[tuple[int, Finding], ...]

    @property
    def words(self) -> list[tuple[int, str]]:
        """ "person" and "machine", as they were told."""
        return [
            (at_ms, finding.what) for at_ms, finding in self.findings if finding.what in ("person", "machine")
        ]

    @property
    def first(self) -> str:
        return self.words[0][1] if self.words else "nothing"

    @property
    def at_last(self) -> str:
        """A late beep may have overruled the first word."""
        return self.words[-1][1] if self.words else "nothing"

    @property
    def ready(self) -> Literal["in time", "early", "late", "never"]:
        """Of a machine: when it was last said that it records, beside the end of its beep or greeting."""
        told_ms = [at_ms for at_ms, finding in self.findings if finding.what == "ready"]
        end_ms = self.answer.said_ms if self.answer.beep_ms is None else self.answer.beep_ms
        if not told_ms:
            return "never"
        if told_ms[-1] < end_ms:
            return "early"
        return "in time" if told_ms[-1] <= end_ms + READY_MS_MAX else "late"

    @property
    def ready_after_beep_ms(self) -> int | None:
        """From the end of the last beep to when it was said that the machine records; None where no beep was why."""
        end_ms = self.answer.beep_ms
        if end_ms is None:
            return None
        after_ms = [
            at_ms - end_ms
            for at_ms, finding in self.findings
            if finding.what == "ready" and finding.reason.startswith("a beep") and at_ms >= end_ms
        ]
        return after_ms[0] if after_ms else None


def judged(answers: Sequence[Answer]) -> tuple[list[Judged], float]:
    """And the microseconds of CPU that a frame took."""
    detector = AnsweringDetector()
    findings: list[list[tuple[int, Finding]]] = [[] for _ in answers]
    listening = dict(enumerate(answers))
    gaps = [0] * len(answers)
    for stream in listening:
        detector.begin(stream)
    frames, tick = 0, 0
    cpu_s = 0.0
    while listening:
        start = tick * FRAME
        tick += 1
        over = [stream for stream, answer in listening.items() if len(answer.octets) < start + FRAME]
        for stream in over:
            detector.end(stream)
            del listening[stream]
        pieces: list[Piece] = []
        for stream, answer in listening.items():
            if tick - 1 in answer.lost:
                gaps[stream] += FRAME
                continue
            codec = "PCMA" if answer.law == "alaw" else "PCMU"
            pieces.append(Piece(stream, codec, gaps[stream], answer.octets[start : start + FRAME]))
            gaps[stream] = 0
        frames += len(pieces)
        begin_s = time.process_time()
        found = detector.feed(pieces)
        cpu_s += time.process_time() - begin_s
        for finding in found:
            findings[finding.stream].append((tick * 20, finding))
            if finding.is_last:
                detector.end(finding.stream)
                del listening[finding.stream]
    result = [Judged(answer, tuple(told)) for answer, told in zip(answers, findings, strict=True)]
    return result, cpu_s / max(1, frames) * 1e6
