"""Every threshold of the detector, with its unit and why it is what it is. They were chosen on calls of voices that the
held-out ones are not among (tests/support/answers); `python -m bench detection` says what they are worth.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parameters:
    """Times in milliseconds, levels in decibels; dBov: a sine of full scale has 0."""

    # Where speech is

    learn_ms: int = 900
    """Heard before anything is judged: how loud the noise is has to be known first. People are not decided earlier
    anyhow: a short word and the silence after it take longer."""
    judge_ms: int = 100
    """From one judgement to the next."""
    floor_dbov: float = -62.0
    """Quieter noise is taken for this loud: G.711's own noise lies below, and so does speech that is to be heard."""
    quiet_part: float = 0.1
    loud_part: float = 0.95
    """The quiet and the loud moments of a call: these parts of its frames so far are quieter."""
    level_weight: float = 5.4
    around_weight: float = 5.0
    spread_db_more: float = 5.0
    """Evidence of speech is where a frame's level lies between the two, and the mean of 340 ms around it: these at the loud
    end, if the two are far apart (5 dB are added to what lies between) ..."""
    spread_weight: float = 0.165
    """... less so much for each decibel between them ..."""
    moves_weight: float = 0.3
    """... and so much for each decibel by which the level moves within 180 ms, as syllables do ..."""
    harmony_weight: float = 9.7
    noise_harmony_part: float = 0.2
    noise_harmony_weight: float = 14.5
    """... and for harmonics, less those that the noise has: this part of the frames has fewer."""
    speech_evidence: float = 2.3
    strong_evidence: float = 1.5
    """More than the first is speech, so much more is speech without a doubt. The weights are those of a logistic regression:
    does somebody speak in this frame who is not of the noise."""
    floor_ms: int = 1600
    """The noise in a band, beside which tones are looked for, is the least of so long."""
    floor_bias_db: float = 2.0
    """The least of many is less than their mean: so much for the smoothed bands of steady noise."""

    # People

    person_spans_ms: tuple[int, ...] = (900, 1300, 2000)
    person_waits_ms: tuple[int, ...] = (1400, 2000, 2400)
    """Who speaks for so long (first row, linear between) and is then silent for so long (second row) waits for an
    answer. Short is "Hello?": machines hardly pause a second after one word. Whole sentences may be a short greeting:
    its beep is waited for, it comes within two seconds nearly always."""
    least_ms: int = 160
    """Less speech than this, scraps in noise, is none."""
    weak_strength: float = 1.6
    weak_spread_db: float = 30.0
    weak_wait_ms: int = 2600
    """Speech with less evidence than this on the average, so near to the noise, may be noise, or be heard in parts only: so
    long a silence is a silence."""
    silence_ms: int = 5000
    """Nobody says anything: taken for a person, for a machine speaks, and a person may listen."""

    # Machines

    machine_ms: int = 4300
    """Nobody answers the telephone with a speech of this length, the pauses within it counted ..."""
    machine_part: float = 0.28
    """... if it is one: in this part of that time there was speech without a doubt. Other people's voices in a room are
    less dense ..."""
    plain_harmony: float = 0.17
    plain_part: float = 0.05
    """... but where the noise is less harmonic than this there are no such voices, and so much will do."""
    gone_ms: int = 3000
    """Such a length that is not, and then nothing for so long: voices in the background, taken for a person."""
    unsure_ms: int = 11000
    unsure_part: float = 0.18
    """Not decided by then is a machine if it spoke that long, with so much speech without a doubt; else a person: to speak to
    a machine too early loses a message, not to speak to a person is rude, and to hang up on one worse."""
    ready_silence_ms: int = 2500
    """Silence after a machine's greeting by which its beep has come, or there is none."""

    # Tones

    tone_hz_min: float = 330.0
    tone_hz_max: float = 2600.0
    """Beeps lie between; hum lies below, the tones of modems above."""
    tone_dbov: float = -48.0
    """Softer tones are not for us."""
    tone_purity: float = 0.72
    """The part of the power (noise subtracted) that lies in the tone, in one frame: vowels have harmonics."""
    tone_snr_db: float = 5.0
    """Above the noise in its band: hum has tones, but they do not begin."""
    tone_drift_hz: float = 8.0
    """From frame to frame at the most: voices glide."""
    tone_step_db: float = 4.0
    """From frame to frame at the most, but for the first and the last one."""
    beep_frames: tuple[int, ...] = (3, 5, 8, 12)
    beep_purities: tuple[float, ...] = (0.97, 0.93, 0.86, 0.78)
    """How pure a tone of so many frames (20 ms each) has to be on the average to be a beep: short ones could be a
    vowel, long ones could not."""
    low_hz: float = 650.0
    low_frames: int = 8
    """Below this pitch, where the strongest harmonics of vowels lie, no shorter tone is a beep."""
    vowel_hz: float = 700.0
    vowel_frames: int = 16
    vowel_rise_db: float = 3.0
    """... and one below this pitch and shorter than that begins out of the quiet: what was before it is no more than so
    much louder than itself or the noise."""
    beep_guard_ms: int = 500
    """After a beep: a second one comes within that, or the machine records."""
    first_beep_guard_ms: int = 1500
    """After a beep before anything was said: exchanges and recorders beep too, and then somebody speaks."""
    late_beep_ms: int = 140
    """When it was decided already, shorter ones say nothing: a person may whistle."""
    late_ms: int = 12000
    """For so long after the decision a beep still overrules it: the greeting was short, or went on."""
