"""What the rooms tell about their work, as lines and counters."""

from gateway.directory import Directory
from gateway.observe import Metrics, lines
from gateway.perform import Performed
from gateway.process.settle import Done


class Report:
    def __init__(self, metrics: Metrics, directory: Directory) -> None:
        self._metrics, self._directory = metrics, directory
        self._process, self._perform = lines("process"), lines("perform")

    def processed(self, done: Done) -> None:
        self._metrics.batch_size.labels("process").observe(done.processed)
        for intake_id, reason in done.dead:
            self._metrics.dead.labels("process", reason).inc()
            self._process.warning("dead", intake_id=intake_id, reason=reason)

    def performed(self, performed: Performed) -> None:
        held = performed.held
        if held.kind == "send":
            self._metrics.sends.labels(held.channel_id or "", performed.outcome).inc()
        self._perform.info(
            "performed",
            command_id=held.id,
            kind=held.kind,
            conversation_id=held.conversation_id,
            channel_id=held.channel_id,
            envelope_id=held.envelope_id,
            attempt=held.attempts,
            step=held.step,
            outcome=performed.outcome,
        )

    def engine(self, up: bool, reason: str) -> None:
        self._metrics.engine_up.set(1 if up else 0)
        self._perform.warning("engine changed", state="up" if up else "down")
