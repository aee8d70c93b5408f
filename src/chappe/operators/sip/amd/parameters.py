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
    floor_ms: int = 1600
    """The noise in a band is the least of so long: longer than words last without a dip, shorter than noise stays as it is."""
    floor_dbov: float = -62.0
    """Quieter noise is taken for this loud: G.711's own noise lies below, and so does speech that is to be heard."""
    floor_bias_db: float = 2.0
    """The least of many is less than their mean: so much for the smoothed bands of steady noise."""
    snr_db_max: float = 30.0
    """A band counts with so much at the most: one that has no noise at all must not speak for the others."""
    speech_db: float = 1.2
    """Mean over the bands above the noise that is speech, at the least: steady noise is above it in 3 frames of 100."""
    background_part: float = 0.35
    background_factor: float = 1.6
    """... and at least so many times what this part of the frames stays under: a room full of people is far above its
    own quietest moment all the time, somebody who speaks into the telephone is not."""
    speech_db_max: float = 9.0
    """... but never more than this: who speaks without a pause has no quiet moments either."""
    # People

    person_spans_ms: tuple[int, ...] = (900, 1300, 2000)
    person_waits_ms: tuple[int, ...] = (1200, 2000, 2400)
    """Who speaks for so long (first row, linear between) and is then silent for so long (second row) waits for an
    answer. Short is "Hello?": machines hardly pause a second after one word. Whole sentences may be a short greeting:
    its beep is waited for, it comes within two seconds nearly always."""
    least_ms: int = 160
    """Less speech than this, scraps in noise, is none."""
    noisy_part: float = 0.2
    noisy_db: float = 1.0
    """When this part of the frames is not quieter than so far above the quietest moment, there are other voices ..."""
    noisy_loudest_part: float = 0.95
    noisy_factor: float = 0.6
    noisy_db_max: float = 13.0
    """... and speech is at least so much of what the louder part of the frames reaches, but no more than this ..."""
    noisy_loudest_db: float = 22.0
    """... unless somebody is so much louder that the others do not matter ..."""
    noisy_wait_ms: int = 2600
    """... in which words are lost: at least so long a silence is a silence ..."""
    noisy_machine_ms: int = 5500
    """... and words are found: `machine_ms` is this ..."""
    noisy_density: float = 0.5
    """... and `machine_density` this."""
    near_db: float = 14.0
    near_factor: float = 0.7
    near_part: float = 0.27
    """... but this part of the frames at so much of the loudest, which is at least that, is somebody near who speaks and
    speaks: a machine, if nothing else decides. People say a word now and then."""
    silence_ms: int = 5000
    """Nobody says anything: taken for a person, for a machine speaks, and a person may listen."""

    # Machines

    machine_ms: int = 4700
    """Nobody answers the telephone with a speech of this length, the pauses within it counted."""
    machine_density: float = 0.3
    """The part of that in which there was speech: noise that comes and goes is less dense."""
    unsure_ms: int = 11000
    """Not decided by then is taken for a person (but see `near_db`): to speak to a machine too early loses a message,
    not to speak to a person is rude, and to hang up on one worse."""
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
    beep_guard_ms: int = 500
    """After a beep: a second one comes within that, or the machine records."""
    first_beep_guard_ms: int = 1500
    """After a beep before anything was said: exchanges and recorders beep too, and then somebody speaks."""
    late_beep_ms: int = 140
    """When it was decided already, shorter ones say nothing: a person may whistle."""
    late_ms: int = 12000
    """For so long after the decision a beep still overrules it: the greeting was short, or went on."""
