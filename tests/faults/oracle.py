"""Judges a run: every accepted cause was executed once, or is a visible unknown that something explains.

It knows only the history: what was accepted, what stands on the topics and timelines, what the outside parties did,
and what was done to the system.
"""

from collections import Counter
from collections.abc import Iterator

from tests.faults.causes import causes_of, judged_commands
from tests.faults.effects_judged import EffectsJudged
from tests.faults.history import SERVICE_OF, History
from tests.faults.journal import BY_ITSELF, NEVER_PASSED
from tests.faults.receipts import judged_receipts
from tests.faults.streams import judged_streams
from tests.faults.timelines import judged_timelines
from tests.faults.verdict import Class, Finding, Verdict


def judge(history: History, mail_domain: str) -> Verdict:
    """Everything that is wrong, and how often everything went right."""
    causes = causes_of(history.said)
    findings = [Finding(Class.INVALID, "", words) for words in history.invalid]
    findings += [Finding(Class.LOST, promise.order, f"refused: {why}") for promise, why in history.refused]
    findings += judged_streams(history.said)
    findings += judged_commands(history.accepted, history.said, causes)
    counts: Counter[str] = Counter()
    for kind in SERVICE_OF:
        effects = EffectsJudged(history, causes, kind, mail_domain)
        findings += effects.findings()
        counts.update({f"{kind}: {word}": count for word, count in effects.counts.items()})
    findings += judged_timelines(history)
    findings += judged_receipts(history)
    findings += stuck(history)
    for fault in history.faults:
        if fault.what.startswith(BY_ITSELF) and not (history.poison and history.workers.get(fault.target) == "payer"):
            findings.append(Finding(Class.DIED, "", f"{fault.target} {fault.what}"))
    return Verdict(findings, counts, [left for left in history.left if left.waits])


def stuck(history: History) -> Iterator[Finding]:
    """What could have been done at the end, or was done only because somebody looked after it, or never came."""
    for left in history.left:
        poisoned = left.subject in history.poison and left.service == SERVICE_OF["charge"] and left.given_up
        if not left.waits and not poisoned:
            yield Finding(Class.STUCK, left.subject, f"{left.service}: {left.what}: {left.words}")
    for member, lanes in history.asleep.items():
        if lanes:
            yield Finding(Class.STUCK, "", f"{member}: the sweeper found {lanes} lanes asleep over a message")
    for fault in history.faults:
        if fault.what == NEVER_PASSED:
            yield Finding(Class.STUCK, "", f"{fault.target} never passed {fault.at}")
