"""The numbers of the machines for Prometheus.

A scrape is answered by one process of a host and speaks for all processes of that host, each under its own
``process`` label, so that counters never go back from one scrape to the next.
"""

from collections.abc import Callable, Iterator, Sequence
from platform import node

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hsm.core.fleet import MachineReport, ProcessReport
from hsm.core.member import MemberState
from hsm.core.meters import LATENCY_BOUNDS

__all__ = ["MachineCollector"]

_LABELS = ("machine", "process")
_GAUGES: tuple[tuple[str, str, Callable[[MachineReport], float]], ...] = (
    ("xinyin_hsm_up", "Whether calls go to the machine", lambda m: float(m.state is MemberState.UP)),
    ("xinyin_hsm_sessions_open", "Sessions that are open", lambda m: m.counts.sessions_open),
    ("xinyin_hsm_sessions_in_use", "Sessions that work on a call", lambda m: m.counts.sessions_in_use),
    ("xinyin_hsm_sessions_limit", "Sessions that may be open", lambda m: m.counts.sessions_limit),
    ("xinyin_hsm_queue_length", "Calls in line", lambda m: m.counts.waiting),
    ("xinyin_hsm_queue_limit", "Calls that may wait", lambda m: m.counts.queue_limit),
    ("xinyin_hsm_in_flight", "Calls that the machine works on", lambda m: m.counts.in_flight),
    ("xinyin_hsm_stuck", "Calls that have not ended after their deadline", lambda m: m.counts.stuck),
    ("xinyin_hsm_self_test_ok", "Whether the last self-test ended well", lambda m: float(m.tested_well)),
    (
        "xinyin_hsm_self_test_timestamp_seconds",
        "When the last self-test ended, in Unix time; 0: never",
        lambda m: m.tested_at.timestamp() if m.tested_at else 0.0,
    ),
)
_COUNTERS: tuple[tuple[str, str, Callable[[MachineReport], float]], ...] = (
    ("xinyin_hsm_calls", "Calls that were answered", lambda m: m.counts.served),
    ("xinyin_hsm_failures", "Calls that failed for a reason that lies in the machine", lambda m: m.counts.failed),
    ("xinyin_hsm_refusals", "Calls that found the line full", lambda m: m.counts.refused),
    ("xinyin_hsm_late_answers", "Answers that came after their deadline", lambda m: m.counts.late),
)


class MachineCollector(Collector):
    """Collects from the reports of all processes of this host.

    Args:
        reports: what every living process says.
    """

    def __init__(self, reports: Callable[[], Sequence[ProcessReport]]) -> None:
        self._reports = reports

    def collect(self) -> Iterator[Metric]:
        """All families; names end as Prometheus wants (``_total`` is added to counters)."""
        here = f"{node()}/"
        reports = [report for report in self._reports() if report.process.startswith(here)]
        rows = [
            ((machine.name, report.process.removeprefix(here)), machine)
            for report in reports
            for machine in report.machines
        ]
        for name, text, value in _GAUGES:
            gauge = GaugeMetricFamily(name, text, labels=_LABELS)
            for labels, machine in rows:
                gauge.add_metric(labels, value(machine))
            yield gauge
        for name, text, value in _COUNTERS:
            counter = CounterMetricFamily(name, text, labels=_LABELS)
            for labels, machine in rows:
                counter.add_metric(labels, value(machine))
            yield counter
        yield _errors(rows)
        yield _latencies(rows)
        yield _signatures(reports, here)

    def describe(self) -> Iterator[Metric]:
        """Nothing: what is collected is not known before."""
        yield from ()


def _errors(rows: Sequence[tuple[tuple[str, str], MachineReport]]) -> Metric:
    errors = CounterMetricFamily("xinyin_hsm_errors", "Errors by code, whosever fault", labels=(*_LABELS, "code"))
    for labels, machine in rows:
        for code, count in machine.errors.items():
            errors.add_metric((*labels, code), count)
    return errors


def _latencies(rows: Sequence[tuple[tuple[str, str], MachineReport]]) -> Metric:
    latencies = HistogramMetricFamily("xinyin_hsm_call_seconds", "Time inside the machine", labels=_LABELS)
    for labels, machine in rows:
        buckets: list[tuple[str, float]] = []
        below = 0
        for bound, count in zip((*LATENCY_BOUNDS, float("inf")), machine.latency_counts, strict=True):
            below += count
            buckets.append(("+Inf" if bound == float("inf") else f"{bound:.6g}", below))
        latencies.add_metric(labels, buckets, machine.latency_seconds)
    return latencies


def _signatures(reports: Sequence[ProcessReport], here: str) -> Metric:
    signatures = CounterMetricFamily("xinyin_hsm_signatures", "Signatures by key", labels=(*_LABELS, "key"))
    for report in reports:
        for key in report.keys:
            signatures.add_metric((key.machine, report.process.removeprefix(here), key.label), key.signatures)
    return signatures
