"""From what was observed to a verdict. Pure rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import pairwise

from pay88kit.endpoint_check.probes import ANSWER_TIME, Kind, Probe, Token, Verdict
from pay88kit.endpoint_check.results import Result
from pay88kit.endpoint_check.said import Said, Sentence, Told, say
from pay88kit.endpoint_check.wire import Answer

# From the best to the worst: a probe's verdict is that of its worst answer.
_WORSE = (Verdict.PASSES, Verdict.NOT_OBSERVABLE, Verdict.DOUBTFUL, Verdict.FAILS)


@dataclass
class Trace:
    """What was observed of one probe.

    ``counts`` are the endpoint's counts of fulfilments, the first from before anything was sent;
    empty where there is no such count. ``unseen`` says why a probe was not sent, or not judged.
    ``found`` is a verdict that was reached otherwise.
    """

    probe: Probe
    reference: str | None = None
    answers: list[Answer] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    unseen: Told = ""
    found: Verdict | None = None


@dataclass(frozen=True)
class _Judged:
    result: Result
    # In which way it failed: failures of one way may follow from each other.
    way: str


def judge(traces: Sequence[Trace]) -> tuple[Result, ...]:
    """A result for every probe, in their order."""
    judged = {trace.probe.name: _judge_one(trace) for trace in traces}
    results = [_following(judged[trace.probe.name], trace.probe, judged) for trace in traces]
    if _signing_may_differ(traces):
        return tuple(
            _doubted(result) if trace.probe.signed and trace.answers else result
            for trace, result in zip(traces, results, strict=True)
        )
    return tuple(results)


def _doubted(result: Result) -> Result:
    said = say(Sentence.SIGNING, observed=result.said or result.observed)
    return replace(result, verdict=Verdict.DOUBTFUL, observed=str(said), said=said)


def _judge_one(trace: Trace) -> _Judged:
    verdict, told, way = _verdict(trace)
    probe = trace.probe
    result = Result(
        probe=probe.name,
        reference=trace.reference,
        verdict=verdict,
        sent=probe.sent,
        expected=probe.expected,
        observed=str(told),
        why=probe.why,
        fix=probe.fix,
        basis=probe.basis,
        documented=probe.documented,
        follows=None,
        slowest_ms=max((round(a.seconds * 1000) for a in trace.answers), default=None),
        said=told if isinstance(told, Said) else None,
    )
    return _Judged(result, way)


def _verdict(trace: Trace) -> tuple[Verdict, Told, str]:
    probe = trace.probe
    if trace.found is not None:
        return trace.found, trace.unseen, ""
    if not trace.answers:
        return Verdict.NOT_OBSERVABLE, trace.unseen, ""
    worst = max(trace.answers, key=lambda answer: _WORSE.index(probe.rule[answer.kind]))
    verdict = probe.rule[worst.kind]
    observed = _together(trace)
    counted, fault = _wrong_count(trace, observed)
    if fault:
        # An answer that fails already is the plainer finding.
        way = worst.kind.name if verdict is Verdict.FAILS else "count"
        return max(verdict, counted, key=_WORSE.index), fault, way
    if verdict is not Verdict.PASSES:
        return verdict, observed, worst.kind.name
    return (*_seen(trace, observed), "")


def _together(trace: Trace) -> Told:
    """All answers; of several, the words of a 200 tell nothing."""
    brief = len(trace.answers) > 1
    told = ["200" if brief and a.kind is Kind.OK else a.told() for a in trace.answers]
    link = Sentence.AND if trace.probe.together else Sentence.THEN
    return reduce(lambda first, next: say(link, first=first, next=next), told)


def _seen(trace: Trace, observed: Told) -> tuple[Verdict, Told]:
    """Of what was answered as it should be: whether the effects were seen, too."""
    probe = trace.probe
    if not trace.counts:
        if not probe.counted:
            return Verdict.PASSES, observed
        why = trace.unseen or say(Sentence.UNSEEN)
        return Verdict.NOT_OBSERVABLE, say(Sentence.UNCOUNTED, answers=observed, why=why)
    counts = str(trace.counts[-1])
    due = probe.fulfilments == 1 and probe.documented
    if not due or trace.counts[-1]:
        return Verdict.PASSES, say(Sentence.COUNTED, answers=observed, counts=counts)
    verdict = Verdict.NOT_OBSERVABLE if probe.counted else Verdict.DOUBTFUL
    return verdict, say(Sentence.UNKNOWN, answers=observed, counts=counts)


def _wrong_count(trace: Trace, observed: Told) -> tuple[Verdict, Said | None]:
    """What is wrong with the counts, if anything."""
    probe = trace.probe
    if not trace.counts or probe.fulfilments is None:
        return Verdict.PASSES, None
    allowed = probe.fulfilments
    shown = " → ".join(map(str, trace.counts))
    if max(trace.counts) > allowed:
        verdict = Verdict.FAILS if probe.documented else Verdict.DOUBTFUL
        return verdict, say(Sentence.TOO_MANY, answers=observed, counts=shown, allowed=str(allowed))
    if any(after < before for before, after in pairwise(trace.counts)):
        return probe.taken_back, say(Sentence.TAKEN_BACK, answers=observed, counts=shown)
    return Verdict.PASSES, None


def _following(judged: _Judged, probe: Probe, others: Mapping[str, _Judged]) -> Result:
    result = judged.result
    if result.verdict not in (Verdict.FAILS, Verdict.DOUBTFUL):
        return result
    # Where the valid ones are late or sent elsewhere, all are, in the same way.
    root = {Kind.LATE.name: ANSWER_TIME.name, Kind.REDIRECT.name: "completed"}.get(judged.way)
    for name in (*([root] if root not in (None, probe.name) else []), *probe.follows):
        other = others.get(name)
        if other and other.result.verdict is Verdict.FAILS and other.way == judged.way:
            return replace(result, follows=name)
    return result


def _signing_may_differ(traces: Iterable[Trace]) -> bool:
    signed = [
        answer.status
        for trace in traces
        if trace.probe.signed and trace.probe.calls[0].token is not Token.MISSING
        for answer in trace.answers
    ]
    return bool(signed) and set(signed) <= {401, 403}
