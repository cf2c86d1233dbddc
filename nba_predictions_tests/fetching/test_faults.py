"""Each fault of the stand-in: what the report says, what is landed, and which inputs are read.

The zone has good answers of 16:40 Eastern, and the services are asked again at 17:15.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import date, timedelta, timezone

import polars as pl
import pytest

from nba_predictions.domain.league.games import make_game_id
from nba_predictions.fetching.client import ATTEMPTS, FAILURES, HANGS
from nba_predictions.fetching.injuries import UNUSABLE
from nba_predictions.fetching.port import FetchReport
from nba_predictions.inputs.landing.zone import Outcome, Resource
from nba_predictions_tests.fetching.conftest import (
    DAY,
    SEASON,
    SHORT_TIMEOUT,
    Live,
    eastern,
)
from nba_predictions_tests.standins.live import FAULTS, Fault
from nba_predictions_tests.standins.live.odds import event_id
from nba_predictions_tests.standins.live.season import Game

#: The names of the services in the landing zone, by those in the stand-in.
PROVIDERS = {
    "stats": "nba_stats",
    "cdn": "nba_cdn",
    "espn": "espn",
    "odds": "odds_api",
    "injury": "injury_report",
}
#: What is asked first, and what it is called in problems.
FIRST = {
    "stats": Resource("nba_stats", "leaguegamelog", f"{SEASON}.regular-season"),
    "cdn": Resource("nba_cdn", "schedule", SEASON),
    "espn": Resource("espn", "injuries", "current"),
    "odds": Resource("odds_api", "events", DAY.isoformat()),
    "injury": Resource("injury_report", "report", f"{DAY}.17_15"),
}
LOG, SCHEDULE = FIRST["stats"], FIRST["cdn"]
AGAIN = timedelta(minutes=5)
YESTERDAY = DAY - timedelta(days=1)
Frames = dict[str, pl.DataFrame]


def fetch(live: Live, *faults: Fault, hour: int = 17, minute: int = 15) -> FetchReport:
    live.break_it(*faults)
    live.at(eastern(hour, minute))
    return live.fetch(lines_max_age=AGAIN)


def inputs(live: Live, report: FetchReport) -> Frames:
    source = live.source(report)
    return {
        "schedule": source.schedule(DAY),
        "box_scores": source.box_scores(YESTERDAY),
        "lines": source.prop_lines(DAY),
        "injuries": source.injuries(DAY),
        "roster": source.roster(DAY),
    }


def before(live: Live) -> Frames:
    """Return the inputs of 16:40."""
    return inputs(live, FetchReport(DAY, eastern(16, 50)))


def versions(live: Live, provider: str) -> int:
    resources = [
        Resource(provider, folder.parent.name, folder.name)
        for folder in (live.folder / provider).glob("*/*")
    ]
    return sum(len(live.zone.versions(resource)) for resource in resources)


def said(report: FetchReport, text: str) -> bool:
    return any(text in problem for problem in report.problems)


def game_id(game: Game) -> str:
    return make_game_id(game.day, game.away, game.home)


# --------------------------------------------------------------------------- transport

#: The body of each fault of the transport that reaches the quarantine.
BODY_ARRIVES = {
    **dict.fromkeys(("html_200", "empty_object", "truncated"), True),
    **dict.fromkeys(("error_500", "error_502", "error_503", "too_many_429"), True),
    **dict.fromkeys(("hang", "empty_200", "wrong_gzip"), False),
}
OUTCOMES = {
    **dict.fromkeys(("html_200", "empty_200", "empty_object", "truncated"), Outcome.BROKEN),
    **{"wrong_gzip": Outcome.BROKEN, "hang": Outcome.FAILED, "too_many_429": Outcome.FAILED},
    **dict.fromkeys(("error_500", "error_502", "error_503"), Outcome.FAILED),
}


def transport(live: Live, name: str, provider: str) -> None:
    """The former answers are used and not replaced, the others arrive, and it ends soon."""
    if name == "hang":
        live.configure(SHORT_TIMEOUT)
    service, first = PROVIDERS[provider], FIRST[provider]
    faults = [Fault(name, provider)]
    if provider == "espn":
        # It is asked if there is no report of the league.
        faults.append(Fault("report_third_name", "injury"))
        live.forget("injury_report")
    former, count = before(live), versions(live, service)
    report = fetch(live, *faults)

    answers = [a for a in report.answers if a.provider == service]
    assert {answer.outcome for answer in answers} == {OUTCOMES[name].value}
    attempts = HANGS if name == "hang" else ATTEMPTS
    assert len([a for a in answers if a.resource == f"{first.name} {first.key}"]) == attempts
    assert len(answers) <= ATTEMPTS * FAILURES
    problem = next(p for p in report.problems if p.startswith(f"{service} {first.name}"))
    if provider in ("stats", "cdn", "odds"):
        assert "; the answer of 2026-01-15 16:40 Eastern is used" in problem
    if name == "hang":
        assert said(report, f"{service} does not answer; it is not asked again in this fetch")
    assert bool(live.quarantined(service)) == BODY_ARRIVES[name]
    assert versions(live, service) == count
    # All others answered.
    others = {a.provider: a.outcome for a in report.answers if a.provider != service}
    assert set(others.values()) <= {"new", "same", "not_there"}
    assert sum(live.slept) < 60

    found = inputs(live, report)
    unchanged = {
        "stats": ("box_scores", "roster"),
        "cdn": ("schedule",),
        "odds": ("lines",),
    }
    for kind in unchanged.get(provider, ()):
        assert found[kind].equals(former[kind])
    assert all(not frame.is_empty() for kind, frame in found.items() if kind != "injuries")
    if provider == "injury":
        # ESPN was asked. The report of 16:30 is newer than what it says.
        assert others["espn"] == "new"
        assert found["injuries"].equals(former["injuries"])

    # Once is no problem: the request is repeated.
    report = fetch(live, Fault(name, provider, times=1), *faults[1:], minute=50)
    assert not [p for p in report.problems if p.startswith(service)]
    last = [a.outcome for a in report.answers if a.provider == service][-1:]
    assert last in (["new"], ["same"]) or provider == "espn"


# ------------------------------------------------------------------------------- stats


def broken_columns(live: Live, name: str, provider: str) -> None:
    former = before(live)
    report = fetch(live, Fault(name, provider))
    (answer,) = [a for a in report.answers if a.resource.startswith(LOG.name)]
    assert answer.outcome == "broken"
    assert said(report, "the columns PTS are missing; the answer of 2026-01-15 16:40")
    assert live.versions("nba_stats", LOG.name, LOG.key) == 1
    (body,) = live.quarantined("nba_stats")
    assert LOG.key in str(body)
    assert inputs(live, report)["box_scores"].equals(former["box_scores"])


def extra_column(live: Live, name: str, provider: str) -> None:
    report = fetch(live, Fault(name, provider))
    assert not report.problems
    assert live.versions("nba_stats", LOG.name, LOG.key) == 2
    found = inputs(live, report)["box_scores"]
    assert found.drop("observed_at").equals(before(live)["box_scores"].drop("observed_at"))


def season_shrinks(live: Live, name: str, provider: str) -> None:
    former = before(live)
    report = fetch(live, Fault(name, provider))
    (answer,) = [a for a in report.answers if a.resource.startswith(LOG.name)]
    assert answer.outcome == "refused"
    assert said(report, "the season shrank from")
    assert len(live.quarantined("nba_stats")) == 1
    assert inputs(live, report)["box_scores"].equals(former["box_scores"])
    # It is not accepted the next time either, and takes no more space.
    report = fetch(live, Fault(name, provider), hour=18)
    assert said(report, "the season shrank from")
    assert len(live.quarantined("nba_stats")) == 1


def grade(live: Live, *faults: Fault, hour: int) -> tuple[FetchReport, pl.DataFrame]:
    """Fetch the results of DAY on the next morning."""
    live.break_it(*faults)
    live.at(eastern(hour, day=DAY + timedelta(days=1)))
    report = live.fetcher.fetch_results(DAY, run_id="grading")
    return report, live.source(report).box_scores(DAY)


def box_score_missing(live: Live, name: str, provider: str) -> None:
    game = live.games()[-1]
    stats = Fault(name, "stats", game_id=game.game_id)
    espn = Fault(name, "espn", game_id=game.game_id)
    cdn = Fault(name, "cdn", game_id=game.game_id)
    everything = {game_id(game) for game in live.games()}
    if provider == "cdn":
        # Its box scores are not asked for.
        report, scores = grade(live, cdn, hour=6)
        assert cdn.strikes == 0
        assert set(scores["game_id"]) == everything
        return
    if provider == "espn":
        # Neither has it. It is asked for again, as long as it is missing.
        report, scores = grade(live, stats, espn, hour=6)
        assert said(report, "boxscore has no players")
        assert set(scores["game_id"]) == everything - {game_id(game)}
        report, scores = grade(live, stats, espn, hour=7)
        assert said(report, "boxscore has no players")
    report, scores = grade(live, stats, hour=8)
    assert not report.problems
    summaries = [a for a in report.answers if a.resource.startswith("summary")]
    assert [a.outcome for a in summaries] == ["new"]
    assert set(scores["game_id"]) == everything
    of_espn = scores.filter(game_id=game_id(game))
    # Then the season has it, and that counts.
    report, later = grade(live, hour=9)
    assert not live.asked("espn")
    of_stats = later.filter(game_id=game_id(game))
    same = ["player_id", "points", "fgm", "team"]
    assert of_espn.select(same).sort("player_id").equals(of_stats.select(same).sort("player_id"))
    assert len(later) == len(scores)


def box_score_corrected(live: Live, name: str, provider: str) -> None:
    live.standin.corrections = False
    first, wrong = grade(live, Fault(name, provider), hour=6)
    second, right = grade(live, hour=7)
    assert not first.problems + second.problems
    changed = wrong.join(right, on=["game_id", "player_id"]).filter(
        pl.col("points") != pl.col("points_right")
    )
    assert (changed["points"] - changed["points_right"]).to_list() == [2]
    # The first grading can be repeated.
    assert live.source(first).box_scores(DAY).equals(wrong)


# -------------------------------------------------------------------------------- games


def never_asked(live: Live, name: str, provider: str) -> None:
    fault = Fault(name, provider)
    report = fetch(live, fault)
    assert not report.problems
    assert fault.strikes == 0


def schedule_is_right(live: Live, name: str, provider: str) -> None:
    report = fetch(live, fault := Fault(name, provider))
    assert fault.strikes == 1
    assert not report.problems
    assert live.versions("nba_cdn", "schedule", SEASON) == 2
    games = inputs(live, report)["schedule"]
    found = {(game, tipoff) for game, tipoff in games.select("game_id", "tipoff").iter_rows()}
    assert found == {(game_id(game), game.tipoff) for game in live.games()}


def postponed(live: Live, name: str, provider: str) -> None:
    off = live.games()[0]
    faults = [Fault(name, provider, game_id=off.game_id)]
    if provider == "espn":
        faults.append(Fault("error_503", "cdn"))
        live.forget("nba_cdn")
    report = fetch(live, *faults)
    games = inputs(live, report)["schedule"]
    assert set(games["game_id"]) == {game_id(g) for g in live.games()} - {game_id(off)}


def moved_tipoff(live: Live, name: str, provider: str) -> None:
    moved = live.games()[0]
    for minutes in (60, -330):
        fault = Fault(name, provider, game_id=moved.game_id, minutes=minutes)
        report = fetch(live, fault, minute=30 if minutes > 0 else 50)
        assert not report.problems
        games = inputs(live, report)["schedule"].filter(game_id=game_id(moved))
        assert games["tipoff"].to_list() == [moved.tipoff + timedelta(minutes=minutes)]


def only_preseason(live: Live, name: str, provider: str) -> None:
    former = before(live)
    report = fetch(live, Fault(name, provider))
    games = len(live.season.games) - len([g for g in live.season.games if g.kind in "45"])
    assert said(report, f"the schedule shrank from {games} to 0 games")
    assert inputs(live, report)["schedule"].equals(former["schedule"])
    # Without a former one, the scoreboard of ESPN is used.
    live.forget("nba_cdn")
    report = fetch(live, Fault(name, provider))
    assert report.problems == (f"the schedule of the league does not reach {DAY}",)
    assert live.versions("espn", "scoreboard", DAY.isoformat()) == 1
    found = inputs(live, report)["schedule"]
    assert set(found["game_id"]) == {game_id(game) for game in live.games()}


# ------------------------------------------------------------------------------ reports


def reports_missing(live: Live, name: str, provider: str) -> None:
    live.forget("injury_report")
    report = fetch(live, Fault(name, provider, slots=6))
    assert report.problems == ("no injury report in 6 slots; the newest is of 15:45 Eastern",)
    assert live.asked("injury") == 7
    assert not live.asked("espn")
    assert live.zone.keys("injury_report", "report") == [f"{DAY}.15_45"]
    source = live.source(report)
    assert source.provenance(DAY).injuries_made_at == eastern(15, 45)
    assert not source.injuries(DAY).is_empty()


def report_third_name(live: Live, name: str, provider: str) -> None:
    live.forget("injury_report")
    report = fetch(live, Fault(name, provider))
    assert report.problems == ("no injury report in 32 slots",)
    assert live.asked("injury") == 32
    assert live.asked("espn", "injuries") == 1
    assert {a.outcome for a in report.answers if a.provider == "injury_report"} == {"not_there"}
    source = live.source(report)
    assert not source.injuries(DAY).is_empty()
    made_at = source.provenance(DAY).injuries_made_at
    assert made_at is not None
    assert made_at >= eastern(17, 15)


def unusable_reports(outcome: str, error: str, attempts: int) -> Callable[..., None]:
    def check(live: Live, name: str, provider: str) -> None:
        former = before(live)
        report = fetch(live, Fault(name, provider))
        answers = [a for a in report.answers if a.provider == "injury_report"]
        assert {answer.outcome for answer in answers} == {outcome}
        # Those of 17:15, 17:00 and 16:45. That of 16:30 is landed.
        assert len(answers) == UNUSABLE * attempts
        assert said(report, error)
        assert len(live.zone.keys("injury_report", "report")) == 1
        assert live.quarantined("injury_report")
        assert live.asked("espn", "injuries") == 1
        assert inputs(live, report)["injuries"].equals(former["injuries"])
        # Without a former one, the injuries of ESPN are used.
        live.forget("injury_report")
        report = fetch(live, Fault(name, provider))
        assert live.asked("injury") == UNUSABLE * attempts
        assert said(report, f"{UNUSABLE} injury reports cannot be used")
        made_at = live.source(report).provenance(DAY).injuries_made_at
        assert made_at is not None
        assert made_at >= eastern(17, 15)

    return check


def reason_over_page_break(live: Live, name: str, provider: str) -> None:
    report = fetch(live)
    former = inputs(live, report)["injuries"]
    live.forget("injury_report")
    fault = Fault(name, provider)
    report = fetch(live, fault)
    assert fault.strikes == 1
    assert not report.problems
    assert inputs(live, report)["injuries"].equals(former)


# -------------------------------------------------------------------------------- lines


def out_of_credits(live: Live, name: str, provider: str) -> None:
    live.forget("odds_api")
    report = fetch(live, Fault(name, provider, after=3))
    assert report.credits == 3
    (problem,) = report.problems
    assert "OUT_OF_USAGE_CREDITS" in problem
    assert report.credits_left_this_month == 0
    assert live.asked("odds", "/odds") == 4
    lines = inputs(live, report)["lines"]
    assert lines["game_id"].n_unique() == 3


def one_event(live: Live, name: str, provider: str) -> None:
    live.forget("odds_api")
    off = live.games()[0]
    report = fetch(live, Fault(name, provider, game_id=off.game_id))
    if name == "event_not_found":
        assert not report.problems
    else:
        (problem,) = report.problems
        assert "INVALID_MARKET: Markets not supported" in problem
        assert event_id(off) in problem
    assert live.asked("odds", event_id(off)) == 1
    lines = inputs(live, report)["lines"]
    assert set(lines["game_id"]) == {game_id(g) for g in live.games()} - {game_id(off)}


def in_play_prices(live: Live, name: str, provider: str) -> None:
    former = before(live)
    report = fetch(live, Fault(name, provider))
    assert not report.problems
    assert report.credits == len(live.games())
    assert inputs(live, report)["lines"].equals(former["lines"])


def moved_commence_time(live: Live, name: str, provider: str) -> None:
    report = fetch(live, Fault(name, provider))
    assert not report.problems
    found = inputs(live, report)
    assert found["lines"]["game_id"].n_unique() == len(live.games())
    assert (
        found["lines"]
        .filter(pl.col("quoted_at") <= eastern(17).astimezone(timezone.utc))
        .is_empty()
    )
    assert set(found["schedule"]["tipoff"]) == {game.tipoff for game in live.games()}


def quotes(check: Callable[[pl.DataFrame], bool]) -> Callable[..., None]:
    def expectation(live: Live, name: str, provider: str) -> None:
        report = fetch(live, Fault(name, provider))
        assert not report.problems
        assert report.credits == len(live.games())
        lines = inputs(live, report)["lines"]
        assert lines["game_id"].n_unique() == len(live.games())
        assert check(lines)

    return expectation


def has_eight_lines(lines: pl.DataFrame) -> bool:
    of_book = lines.group_by("game_id", "book", "player_lookup").agg(pl.col("line").n_unique())
    return set(of_book["line"]) == {1, 8}


EXPECTED: dict[tuple[str, str], Callable[[Live, str, str], None]] = {
    **{(name, provider): transport for name in OUTCOMES for provider in PROVIDERS},
    ("renamed_headers", "stats"): broken_columns,
    ("dropped_column", "stats"): broken_columns,
    ("extra_column", "stats"): extra_column,
    ("season_shrinks", "stats"): season_shrinks,
    ("box_score_missing", "stats"): box_score_missing,
    ("box_score_missing", "espn"): box_score_missing,
    ("box_score_missing", "cdn"): box_score_missing,
    ("box_score_corrected", "stats"): box_score_corrected,
    # The scoreboard of stats.nba.com is not asked for.
    **{
        (name, "stats"): never_asked
        for name in (
            *("schedule_false_z", "tbd_teams", "guest_teams", "all_star"),
            *("postponed", "moved_tipoff"),
        )
    },
    **{
        (name, "cdn"): schedule_is_right
        for name in ("schedule_false_z", "tbd_teams", "guest_teams", "all_star")
    },
    ("postponed", "cdn"): postponed,
    ("postponed", "espn"): postponed,
    ("moved_tipoff", "cdn"): moved_tipoff,
    ("only_preseason", "cdn"): only_preseason,
    ("reports_missing", "injury"): reports_missing,
    ("report_third_name", "injury"): report_third_name,
    ("report_html_200", "injury"): unusable_reports("broken", "is not a PDF", ATTEMPTS),
    ("report_of_yesterday", "injury"): unusable_reports(
        "refused", "it is the report of 2026-01-14 17:15 Eastern", 1
    ),
    ("new_status", "injury"): unusable_reports("broken", "'Day-To-Day' is not one of", 1),
    ("reason_over_page_break", "injury"): reason_over_page_break,
    ("out_of_credits", "odds"): out_of_credits,
    ("event_not_found", "odds"): one_event,
    ("invalid_market", "odds"): one_event,
    ("in_play_prices", "odds"): in_play_prices,
    ("moved_commence_time", "odds"): moved_commence_time,
    ("eight_lines", "odds"): quotes(has_eight_lines),
    ("one_sided", "odds"): quotes(
        lambda lines: {side.lower() for side in lines["side"]} == {"over"}
    ),
    ("integer_line", "odds"): quotes(
        lambda lines: set(lines["line"].cast(pl.Float64) % 1) == {0.0}
    ),
    ("unknown_player", "odds"): quotes(lambda lines: "Nobody Knownn" in set(lines["player_name"])),
    ("unknown_book", "odds"): quotes(lambda lines: "brandnewbook" in set(lines["book"])),
}


@pytest.mark.parametrize(
    ("name", "provider"),
    [(name, provider) for name, kind in FAULTS.items() for provider in kind.providers],
)
def test_a_fault(live: Live, name: str, provider: str) -> None:
    assert (name, provider) in EXPECTED, "the fault has no expectation yet"
    EXPECTED[name, provider](live, name, provider)


# ------------------------------------------------------------- faults of other kinds


def test_too_many_requests_with_a_time(live: Live) -> None:
    report = fetch(live, Fault("too_many_429", "odds", times=2, retry_after=7))
    assert not report.problems
    assert live.slept.count(7.0) == 2
    fetch(live, Fault("too_many_429", "odds", retry_after=3600), minute=30)
    # Six pauses of at most half a minute, and then no more requests.
    assert sum(live.slept) <= 180
    assert live.asked("odds") == ATTEMPTS * FAILURES


def test_a_header_is_missing(live: Live) -> None:
    live.configure(headers={"User-Agent": "Python"})
    report = fetch(live)
    assert said(report, "nba_cdn schedule 2025-26: HTTP 403; the answer of 2026-01-15 16:40")
    assert "Access Denied" in _unpacked(live, "nba_cdn")
    live.configure()
    live.at(eastern(17, 45))
    assert not live.fetch().problems
    for seen in live.standin.requests_to("cdn"):
        assert seen.headers["referer"] == "https://www.nba.com/"
        assert "Mozilla/5.0" in seen.headers["user-agent"]


def _unpacked(live: Live, provider: str) -> str:
    return "".join(gzip.decompress(p.read_bytes()).decode() for p in live.quarantined(provider))


def test_all_services_hang(live: Live) -> None:
    """The run goes on with what is landed, after two time-outs of each."""
    live.configure(SHORT_TIMEOUT)
    former = before(live)
    report = fetch(live, *(Fault("hang", provider) for provider in PROVIDERS))
    assert report.requests == HANGS * len(PROVIDERS)
    assert len(report.problems) >= 2 * len(PROVIDERS)
    assert all(frame.equals(former[kind]) for kind, frame in inputs(live, report).items())


def test_stats_hangs_in_the_morning(live: Live) -> None:
    """Yesterday's games come from ESPN, one by one."""
    live.configure(SHORT_TIMEOUT)
    report, scores = grade(live, Fault("hang", "stats"), hour=7)
    summaries = [a for a in report.answers if a.resource.startswith("summary")]
    assert len(summaries) == len(live.games())
    assert set(scores["game_id"]) == {game_id(game) for game in live.games()}
    # They are not asked for again.
    report, _ = grade(live, Fault("hang", "stats"), hour=8)
    assert not [a for a in report.answers if a.resource.startswith("summary")]
    report, corrected = grade(live, hour=13)
    assert not report.problems
    assert len(corrected) == len(scores)


def test_the_credits_end_within_a_slate(live: Live) -> None:
    """The service has the last word, and the month is over for all later fetches."""
    live.forget("odds_api")
    live.standin.account.per_month = live.standin.account._used_this_month + 4
    report = fetch(live)
    assert (report.credits, report.credits_left_this_month) == (4, 0)
    assert live.asked("odds", "/odds") == 5
    report = fetch(live, minute=30)
    assert live.asked("odds", "/odds") == 0
    assert said(report, "used up until the first of the month")
    # A larger plan is noticed by the list of games, which costs nothing.
    live.standin.account.per_month = 20_000
    report = fetch(live, minute=45)
    assert report.credits == len(live.games())


@pytest.mark.parametrize("key", ["wrong", None])
def test_a_key_that_is_refused(live: Live, key: str | None) -> None:
    live.configure(odds_api_key=key)
    report = fetch(live)
    (problem,) = report.problems
    assert "NBA_PREDICTIONS_ODDS_API_KEY" in problem
    assert live.asked("odds") == (0 if key is None else 1)
    assert report.credits == 0


def test_the_budget_ends_within_a_slate(live: Live) -> None:
    live.forget("odds_api")
    live.configure(credits_per_day=3)
    report = fetch(live)
    assert (report.credits, report.credits_left_today) == (3, 0)
    (problem,) = report.problems
    assert problem.startswith("no credits are left for the lines of ")
    assert problem.count("@") == len(live.games()) - 3
    assert inputs(live, report)["lines"]["game_id"].n_unique() == 3


def test_damaged_answers_are_fetched_again(live: Live) -> None:
    """The file of the schedule lost its content, and that of the log its end."""
    for resource in (LOG, SCHEDULE):
        newest = live.zone.newest(resource)
        assert newest is not None
        path = live.folder / newest.path
        path.write_bytes(path.read_bytes()[:-20])
    # They would be young enough at 16:45.
    report = fetch(live, hour=16, minute=45)
    assert len([p for p in report.problems if "is damaged" in p]) == 2
    assert live.versions("nba_stats", LOG.name, LOG.key) == 2
    found = inputs(live, report)
    assert not found["box_scores"].is_empty()
    assert found["schedule"].height == len(live.games())


def test_a_season_may_not_shrink_because_its_newest_answer_is_damaged(live: Live) -> None:
    fetch(live)
    newest = live.zone.newest(LOG)
    assert newest is not None
    assert live.versions("nba_stats", LOG.name, LOG.key) == 1
    grade(live, hour=6)
    newest = live.zone.newest(LOG)
    assert newest is not None
    (live.folder / newest.path).write_bytes(b"")
    report, _ = grade(live, Fault("season_shrinks", "stats"), hour=7)
    assert said(report, "the season shrank from")


@pytest.mark.parametrize("hour", [0, 23])
def test_around_midnight(live: Live, hour: int) -> None:
    """At 23:30 it is still DAY in New York, and at 00:05 it is the next one."""
    day = DAY if hour == 23 else DAY + timedelta(days=1)
    live.at(eastern(hour, 30 if hour else 5, day=day))
    report = live.fetch(day)
    keys = {a.resource for a in report.answers}
    assert f"events {day}" in keys
    assert not [p for p in report.problems if "injury" in p]
    slots = [key for key in live.zone.keys("injury_report", "report") if key > f"{DAY}.16_30"]
    assert slots == [f"{day}.{hour:02d}_{30 if hour else 0:02d}"]
    assert report.as_of >= live.standin.now


def test_a_noon_game_in_london(live: Live) -> None:
    """A game at 19:00 in London is at 14:00 Eastern on the same date."""
    game = live.games()[0]
    try:
        live.standin.seasons.move_game(game.game_id, eastern(14))
        live.forget("odds_api")
        report = fetch(live, hour=12, minute=0)
        (schedule,) = (
            inputs(live, report)["schedule"].filter(game_id=game_id(game)).rows(named=True)
        )
        assert schedule["tipoff"] == eastern(14)
        assert report.credits == len(live.games())
        # Once it has begun, its prices are not asked for.
        live.forget("odds_api")
        report = fetch(live, hour=14, minute=1)
        assert report.credits == len(live.games()) - 1
    finally:
        live.standin.seasons.move_game(game.game_id, game.tipoff)


def test_a_date_without_games(live: Live) -> None:
    """On the days around the All-Star Game there are no reports and no lines, and no problems."""
    days = sorted(live.season.by_day)
    free = next(
        day + timedelta(days=1)
        for day in days
        if day > DAY and day + timedelta(days=1) not in live.season.by_day
    )
    live.at(eastern(12, day=free))
    report = live.fetch(free)
    assert not report.problems
    assert live.asked("injury") == 0
    assert report.credits == 0


@pytest.mark.parametrize("day", [date(2025, 10, 5), date(2025, 7, 20), date(2025, 8, 20)])
def test_before_the_season(empty: Live, day: date) -> None:
    empty.at(eastern(12, day=day))
    report = empty.fetch(day)
    assert report.credits == 0
    assert empty.asked("injury") == 0
    assert empty.source(report).schedule(day).is_empty()
    assert empty.source(report).box_scores(day).is_empty()
    assert len(report.answers) <= 8
    json.dumps(report.problems)
