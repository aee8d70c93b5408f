"""Answering-machine detection: people and machines of all kinds in noise of 0 to 20 dB, what they were taken for, when,
and what listening costs. Prints the confusion matrices.

Two voices are held out, with all that they say: nothing of the detector was chosen by them. And there are calls made in
another way (`tests/support/answers/elsewhere.py`), a part of which, with voices, words and a crowd of its own, is held out
too: what was fitted to one maker of calls shows there.
"""

from __future__ import annotations

import importlib.util
import shutil
import statistics
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np

from bench.figures import Context, Figure, Void
from chappe.audio import g711
from chappe.operators.sip.amd.detector import AnsweringDetector
from chappe.operators.sip.media.detector import Piece
from tests.support.answers.calls import answers
from tests.support.answers.elsewhere import answers_elsewhere
from tests.support.answers.judged import Judged, judged

CALLS = 400
ROUNDS = 3
SEED = 100
BOTH = 500
LISTENED_S = 4
CORPORA = (
    ("tuned with", answers, False),
    ("held out", answers, True),
    ("made elsewhere, tuned with", answers_elsewhere, False),
    ("made elsewhere, held out", answers_elsewhere, True),
)


def run(context: Context) -> list[Figure]:
    """Per cent, seconds from the answer, and the share of a core that 500 streams take. A round has calls of its own."""
    if shutil.which("espeak-ng") is None or importlib.util.find_spec("ttspico") is None:
        raise Void("espeak-ng and ttspico speak the calls, and are not both there")
    rounds = 5 * ROUNDS if context.long else ROUNDS
    figures: list[Figure] = []
    for name, make, held_out in CORPORA:
        calls = [judged(make(CALLS, SEED + number, held_out=held_out))[0] for number in range(rounds)]
        print(_matrix(name, [call for of_round in calls for call in of_round]), flush=True)
        figures += _figures(name, calls)
    figures.append(Figure(f"{BOTH} streams listened to", "of a core", [_cost(BOTH) for _ in range(rounds)]))
    return figures


def _figures(name: str, rounds: Sequence[Sequence[Judged]]) -> list[Figure]:
    def per_cent(of: str, is_so: str, *, first: bool = False) -> list[float]:
        shares = []
        for calls in rounds:
            those = [call for call in calls if of in ("", call.answer.who)]
            words = [call.first if first else call.at_last for call in those]
            right = [word == (is_so or call.answer.who) for word, call in zip(words, those, strict=True)]
            shares.append(100 * statistics.mean(right))
        return shares

    def seconds(who: str, part: float) -> list[float]:
        return [
            float(
                np.quantile(
                    [call.words[0][0] for call in calls if call.answer.who == who and call.words], part
                )
            )
            / 1000
            for calls in rounds
        ]

    def after(part: float) -> list[float]:
        """Of people: from the end of the first thing they said."""
        return [
            float(
                np.quantile(
                    [
                        call.words[0][0] - call.answer.said_ms
                        for call in calls
                        if call.answer.who == "person" and call.words
                    ],
                    part,
                )
            )
            / 1000
            for calls in rounds
        ]

    def ready_s(part: float) -> list[float]:
        """Of machines whose beep was heard: from its end to the message."""
        return [
            float(np.quantile([call.ready_after_beep_ms for call in calls if call.ready_after_beep_ms], part))
            / 1000
            for calls in rounds
        ]

    ready = [Counter(call.ready for call in calls if call.answer.beep_ms is not None) for calls in rounds]
    return [
        Figure(f"{name}: right", "%", per_cent("", "")),
        Figure(f"{name}: right at the first word", "%", per_cent("", "", first=True)),
        Figure(f"{name}: people taken for machines", "%", per_cent("person", "machine")),
        Figure(
            f"{name}: spoken to before the beep was over",
            "%",
            [100 * counts["early"] / max(1, counts.total() - counts["never"]) for counts in ready],
        ),
        Figure(
            f"{name}: beeps found",
            "%",
            [
                100
                * statistics.mean(
                    call.ready_after_beep_ms is not None for call in calls if call.answer.beep_ms is not None
                )
                for calls in rounds
            ],
        ),
        Figure(f"{name}: the message after the beep, median", "s", ready_s(0.5)),
        Figure(f"{name}: the message after the beep, p95", "s", ready_s(0.95)),
        Figure(f"{name}: people decided, median", "s", seconds("person", 0.5)),
        Figure(f"{name}: people decided, p95", "s", seconds("person", 0.95)),
        Figure(f"{name}: ... after their first words, median", "s", after(0.5)),
        Figure(f"{name}: ... after their first words, p95", "s", after(0.95)),
        Figure(f"{name}: machines decided, median", "s", seconds("machine", 0.5)),
        Figure(f"{name}: machines decided, p95", "s", seconds("machine", 0.95)),
    ]


def _matrix(name: str, calls: Sequence[Judged]) -> str:
    """Rows: who answered; columns: the first word, and what was held in the end."""
    columns = ("person", "machine", "nobody", "nothing")
    lines = [f"{name}: {len(calls):,} calls   first word / in the end"]
    lines.append(" " * 10 + "".join(f"{column:>16}" for column in columns))
    for who in ("person", "machine"):
        those = [call for call in calls if call.answer.who == who]
        first, last = Counter(call.first for call in those), Counter(call.at_last for call in those)
        lines.append(f"{who:10}" + "".join(f"{f'{first[c]} / {last[c]}':>16}" for c in columns))
    wrong = Counter(call.answer.noise for call in calls if call.first != call.answer.who)
    all_of = Counter(call.answer.noise for call in calls)
    parts = ", ".join(f"{kind} {wrong[kind]} of {all_of[kind]}" for kind in sorted(all_of))
    return "\n".join([*lines, f"wrong at the first word, by noise: {parts}"])


def _cost(streams: int) -> float:
    """CPU seconds a second: as many streams as that, undecided, in all of which somebody speaks."""
    detector = AnsweringDetector()
    random = np.random.default_rng(1)
    frames = LISTENED_S * 50
    noise = random.normal(0, 300, 160 * 50).astype(np.int16)
    octets = g711.encode(noise, "alaw")
    for stream in range(streams):
        detector.begin(stream)
    turns = [
        [Piece(stream, "PCMA", 0, octets[(number + stream) % 50 * 160 :][:160]) for stream in range(streams)]
        for number in range(frames)
    ]
    begin_s = time.process_time()
    for pieces in turns:
        detector.feed(pieces)
    return (time.process_time() - begin_s) / LISTENED_S
