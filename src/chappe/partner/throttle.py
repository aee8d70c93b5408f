"""Which limit is in force on a page, and its counters: the documented limits, adjusted by the configuration."""

from __future__ import annotations

from collections.abc import Iterable

from chappe.clock import Clock
from chappe.partner.limits import Decision, Limit, Limiter, limiter
from chappe.partner.page import Page
from chappe.settings import Settings, SettingsRefused

REQUESTS_MAX = 1_000_000_000
SECONDS_MAX = 7 * 86_400


class Throttle:
    """Counts requests per account and page. With limits off nothing is counted and no header is sent."""

    def __init__(self, pages: Iterable[Page], settings: Settings, clock: Clock) -> None:
        self._clock = clock
        self._limits: dict[tuple[str, str], Limit] = {}
        names = {f"{page.product}.{page.name}": page for page in pages}
        if settings.rate_limits:
            self._limits = {(p.product, p.name): p.limit for p in names.values() if p.limit is not None}
            for name, text in settings.limits.pages.items():
                if name not in names:
                    raise SettingsRefused(
                        f"[limits.pages] names {name!r}; the pages are {', '.join(sorted(names))}"
                    )
                self._limits[names[name].product, names[name].name] = _limit(name, text)
        self._counters: dict[tuple[str, str], Limiter] = {
            key: limiter(limit) for key, limit in self._limits.items()
        }

    def limit(self, page: Page) -> Limit:
        """The limit in force on a page that has one."""
        return self._limits[page.product, page.name]

    def counter(self, page: Page) -> Limiter | None:
        """What counts the requests to a page; None where there is no limit."""
        return self._counters.get((page.product, page.name))

    def take(self, page: Page, account_id: int) -> Decision | None:
        """Counts one request; None on a page without a limit."""
        counter = self._counters.get((page.product, page.name))
        if counter is None:
            return None
        return counter.check(account_id, int(self._clock.monotonic_s() * 1000), self._clock.now_ms())


def _limit(name: str, text: str) -> Limit:
    requests, slash, seconds = text.partition("/")
    if not slash or not requests.strip().isdecimal() or not seconds.strip().isdecimal():
        raise SettingsRefused(f"[limits.pages] {name} is {text!r}, not REQUESTS/SECONDS such as 5/60")
    if not (1 <= int(requests) <= REQUESTS_MAX and 1 <= int(seconds) <= SECONDS_MAX):
        raise SettingsRefused(
            f"[limits.pages] {name} is {text!r}: 1 to {REQUESTS_MAX} requests in 1 to {SECONDS_MAX} seconds"
        )
    return Limit(int(requests), int(seconds))
