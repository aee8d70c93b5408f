"""What `/metrics` shows. Labels are products, pages and outcomes: never an account, a key or a number."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, generate_latest
from prometheus_client.process_collector import ProcessCollector

disable_created_metrics()


class Metrics:
    """The counters of one server. `unexpected` must stay 0: each one is a fault of ours."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.requests = Counter(
            "chappe_requests", "Requests answered.", ["product", "page", "status"], registry=self._registry
        )
        self.unexpected = Counter(
            "chappe_unexpected",
            "Exceptions that nothing expected; each one is a bug.",
            ["where"],
            registry=self._registry,
        )
        self.commit_groups = Gauge(
            "chappe_commit_groups", "Group commits since the start.", registry=self._registry
        )
        self.commit_units = Gauge(
            "chappe_commit_units", "Units of work in those groups.", registry=self._registry
        )
        self.processes = Gauge(
            "chappe_processes", "Processes alive on this database.", registry=self._registry
        )
        self.others_differ = Gauge(
            "chappe_processes_differing",
            "Processes alive that have other routes or operators than this one.",
            registry=self._registry,
        )
        self._trunk_up = Gauge(
            "chappe_trunk_up",
            "Whether calls can be made by a trunk now.",
            ["operator"],
            registry=self._registry,
        )
        self._trunk_calls = Gauge(
            "chappe_trunk_calls", "Calls under way by a trunk.", ["operator"], registry=self._registry
        )
        self._audio_up = Gauge(
            "chappe_audio_up",
            "Whether the media process works, which all trunks share.",
            registry=None,  # there is none without trunks
        )
        self._answered: dict[tuple[str, str, int], Counter] = {}
        self.unexpected.labels(where="request").inc(0)

    def answered(self, product: str, page: str, status: int) -> None:
        """Counts one answer; the label lookup is kept, it costs more than the increment."""
        counter = self._answered.get((product, page, status))
        if counter is None:
            counter = self._answered[product, page, status] = self.requests.labels(product, page, str(status))
        counter.inc()

    def watch_trunk(self, operator: str, is_up: Callable[[], bool], calls: Callable[[], int]) -> None:
        """Asked whenever the page is read."""
        self._trunk_up.labels(operator).set_function(is_up)
        self._trunk_calls.labels(operator).set_function(calls)

    def watch_audio(self, is_up: Callable[[], bool]) -> None:
        """Asked whenever the page is read."""
        self._registry.register(self._audio_up)
        self._audio_up.set_function(is_up)

    def page(self) -> bytes:
        """The text format 0.0.4 of Prometheus."""
        return generate_latest(self._registry)
