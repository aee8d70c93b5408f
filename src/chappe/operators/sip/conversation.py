"""What is said in a call that was answered: to whom, when, and how much of it was heard.

The detector says who answered. A person is spoken to at once, a machine when it records. It may take its word back: a
person who beeps was a short greeting; a machine that beeps while it is spoken to had not finished. Then what is being
said is broken off, and said from its beginning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from chappe.audio.sound import Converted
from chappe.calls.port import Party, Script
from chappe.operators.sip.media.client import MediaProcess
from chappe.operators.sip.media.messages import Detected, Listen, Play, Played, StopPlaying, Talk
from chappe.operators.sip.sdp.audio import CodecName
from chappe.operators.sip.sounds import Sounds

LINGER_S: Final = 0.4
"""From the last frame to the BYE: what is under way, and in the peer's buffer, is to be heard."""
MARGIN_S: Final = 15.0
"""What a call may take beyond what there is to say."""
DOUBT_S: Final = 4.0
"""Where there is something for a machine only, a person is hung up on so much later: a short greeting's beep may come."""
MACHINE_PLAYS_MAX: Final = 2
"""A machine that beeps on and on is not spoken to for ever."""


class Conversation:
    """`codec` is asked when something is to be played; `part(why)` ends the call. `on_...` are the stream's events."""

    def __init__(
        self,
        script: Script,
        media: MediaProcess,
        sounds: Sounds,
        stream: int,
        codec: Callable[[], CodecName],
        part: Callable[[str], None],
    ) -> None:
        self._script = script
        self._media = media
        self._sounds = sounds
        self._stream = stream
        self._codec = codec
        self._part = part
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._playing: tuple[Converted, CodecName] | None = None
        self._broken_off = 0
        """Plays whose end is still to be told, and is of no interest."""
        self._machine_plays = 0
        self._began_s = 0.0
        """When what is playing began."""
        self._was_held = False
        self._is_over = False
        self.party: Party = ""
        self.is_nobody = False
        """A fax, or a tone of the network: nobody can hear anything."""
        self.reason = ""
        self.played_ms = 0
        self.is_complete = False

    def begin(self, greeting_s_max: float | None) -> None:
        """The first RTP frame may leave. None: nobody listens who answered, it is taken for a person."""
        self._media.tell(Talk(self._stream))
        if self._script.detects and greeting_s_max is not None and self._media.has_detector:
            self._media.tell(Listen(self._stream))
            self._set_timer(greeting_s_max, self._on_detected_nothing)
        else:
            self._play(self._script.to_person)

    def stop(self) -> None:
        """The call is over: nothing is begun any more. How much was played is still to be told."""
        self._set_timer(None)
        self._is_over = True

    def close(self) -> None:
        """The stream is closed."""
        self.stop()
        self._release()

    def on_detected(self, event: Detected) -> None:
        """What they mean: `AnsweringDetector`."""
        if self._is_over:
            return
        script = self._script
        self.reason = event.reason or self.reason
        if event.what == "person":
            self.party = "person"
            if script.to_person is None:
                self._set_timer(DOUBT_S, lambda: self._part(""))
            else:
                self._play(script.to_person)
        elif event.what == "machine":
            self.party = "machine"
            self._break_off()
            if script.to_machine is None:
                self._part("")
        elif event.what == "ready":
            self.party = "machine"
            if self._machine_plays < MACHINE_PLAYS_MAX:
                self._machine_plays += 1
                self._play(script.to_machine)
        elif event.what == "nobody":
            self.is_nobody = True
            self._part("")
        elif event.is_last and not self.party:
            self._play(script.to_person)

    def on_played(self, event: Played) -> None:
        """One comes for each play."""
        if self._broken_off:
            self._broken_off -= 1
            return
        self.played_ms = event.ms
        self.is_complete = event.is_complete and event.ms > 0
        self._release()
        if not self._is_over:
            self._set_timer(LINGER_S, lambda: self._part(""))

    def on_held(self) -> None:
        """The peer holds the call: the sound stands still."""
        self._was_held = True

    def on_media_lost(self) -> None:
        """Nobody will tell how much was played: it is the time since, unless the call was held meanwhile."""
        if self._playing is None:
            return
        if not self._was_held:
            passed_ms = int((self._loop.time() - self._began_s) * 1000)
            self.played_ms = min(passed_ms, self._playing[0].duration_ms)
        self._release()

    # Inside

    def _on_detected_nothing(self) -> None:
        self.reason = self.reason or "time"
        self._play(self._script.to_machine if self.party == "machine" else self._script.to_person)

    def _play(self, sound: Converted | None) -> None:
        if sound is None:
            self._part("")
            return
        playing = (sound, self._codec())
        number = self._sounds.hold(*playing)
        self._break_off()
        self._playing = playing
        self._began_s = self._loop.time()
        self._media.tell(Play(self._stream, number))
        # A peer that holds the call hears nothing, and the sound does not go on.
        self._set_timer(sound.duration_ms / 1000 + MARGIN_S, lambda: self._part("held"))

    def _break_off(self) -> None:
        if self._playing is None:
            return
        self._media.tell(StopPlaying(self._stream))
        self._release()
        self._broken_off += 1
        self.played_ms, self.is_complete = 0, False

    def _release(self) -> None:
        if self._playing is not None:
            self._sounds.release(*self._playing)
            self._playing = None

    def _set_timer(self, after_s: float | None, action: Callable[[], object] | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if after_s is not None and action is not None:
            self._timer = self._loop.call_later(after_s, action)
