"""Situations of the field, each as a small folder: what the slate of the date is."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from nba_predictions.domain.errors import SourceDataError
from nba_predictions_tests.inputs.folder import (
    PLAYED,
    TIPOFF,
    Folder,
    both,
    dropped,
    game,
    gate,
    line,
    log,
    logs,
    player,
    superseded,
)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Return a folder with box scores, a schedule and a line of 24.5 for Otis Denver."""
    folder = Folder(tmp_path)
    folder.write("player_game_logs.csv", logs())
    folder.write("schedule.csv", [game()])
    folder.write("points_lines.csv", both(24.5))
    return folder


def test_the_folder_without_a_situation(folder: Folder) -> None:
    slate = folder.slate()
    assert [each["player_lookup"] for each in slate["players"]] == [
        *("otisdenver", "otisphoenix", "paveldenver", "pavelphoenix")
    ]
    found = player(slate)
    assert (found["player_id"], found["team"], found["games_this_season"]) == (11, "DEN", 3)
    assert (found["base_line"], found["books"]) == (24.5, ["draftkings"])
    assert slate["games"] == [
        {"game_id": "20250110_PHX_DEN", "tip_off": TIPOFF, "begun": True},
    ]
    assert slate["unmatched"] == []
    assert [each["path"] for each in slate["inputs"]] == [
        *("player_game_logs.csv", "points_lines.csv", "schedule.csv")
    ]


class TestBaseLine:
    def test_a_one_sided_ladder_is_no_main_line(self, folder: Folder) -> None:
        ladder = [line("Over", points, bookmaker="fanduel") for points in (9.5, 14.5, 19.5)]
        folder.write("points_lines.csv", [*both(24.5), *ladder])
        found = player(folder.slate())
        assert (found["base_line"], found["books"]) == (24.5, ["draftkings"])
        assert len(found["quotes"]) == 5

    def test_a_player_with_one_sided_ladders_only_has_no_line(self, folder: Folder) -> None:
        folder.write("points_lines.csv", [line("Under", points) for points in (30.5, 35.5)])
        found = player(folder.slate())
        assert (found["base_line"], found["books"]) == (None, [])

    def test_a_two_sided_ladder_has_the_most_even_line(self, folder: Folder) -> None:
        ladder = [*both(19.5, -260, 200), *both(24.5, -112, -108), *both(29.5, 190, -250)]
        folder.write("points_lines.csv", ladder)
        assert player(folder.slate())["base_line"] == 24.5

    @pytest.mark.parametrize(("first", "second"), [(18.5, 6.5), (24.5, 25.5), (22.5, 19.5)])
    def test_a_line_that_moved_replaces_the_earlier_one(
        self, folder: Folder, first: float, second: float
    ) -> None:
        folder.write("points_lines.csv", [*both(first), *both(second, -120, -102)])
        slate = folder.slate()
        assert player(slate)["base_line"] == second

    def test_the_newest_moment_counts_whatever_the_order_of_rows(self, folder: Folder) -> None:
        late = both(22.5, observed_at="2025-01-10T23:00:00Z")
        early = both(24.5, observed_at="2025-01-10T15:00:00Z")
        folder.write("points_lines.csv", [*late, *early])
        slate = folder.slate()
        assert player(slate)["base_line"] == 22.5
        assert superseded(slate, "points_lines") == 2

    def test_spellings_of_one_book_are_one_book(self, folder: Folder) -> None:
        quotes = [
            *both(24.5),
            *both(24.5, bookmaker="DraftKings"),
            *both(20.5, bookmaker="FanDuel"),
        ]
        folder.write("points_lines.csv", quotes)
        found = player(folder.slate())
        assert (found["base_line"], found["books"]) == (22.5, ["draftkings", "fanduel"])

    def test_a_suspended_market_is_left_out(self, folder: Folder) -> None:
        folder.write("points_lines.csv", [*both(24.5), *both(12.5, 0, 0, player="Pavel Denver")])
        slate = folder.slate()
        assert player(slate)["base_line"] == 24.5
        assert player(slate, "paveldenver")["base_line"] is None
        assert dropped(slate, "points_lines") == {"suspended": 2}


class TestTipOff:
    def test_a_quote_of_the_utc_day_of_an_early_tip_off_replaces_nothing(
        self, folder: Folder
    ) -> None:
        folder.write("points_lines.csv", [*both(24.5), *both(31.5, snap="01_11_2025")])
        slate = folder.slate()
        assert player(slate)["base_line"] == 24.5
        assert dropped(slate, "points_lines") == {"possibly_in_play": 2}

    def test_a_quote_of_the_day_of_a_late_tip_off_is_the_newest(self, folder: Folder) -> None:
        noon = "2025-01-10T23:40:00Z"
        folder.write("schedule.csv", [game(tipoff=noon)])
        yesterday = both(24.5, snap="01_09_2025", commence_time=noon)
        folder.write("points_lines.csv", [*yesterday, *both(26.5, commence_time=noon)])
        assert player(folder.slate())["base_line"] == 26.5

    def test_a_quote_at_or_after_the_tip_off_is_left_out(self, folder: Folder) -> None:
        in_play = both(31.5, snap="2025-01-11T02:10:00Z")
        folder.write("points_lines.csv", [*both(24.5, snap="2025-01-10T22:00:00Z"), *in_play])
        slate = folder.slate()
        assert player(slate)["base_line"] == 24.5
        assert dropped(slate, "points_lines") == {"after_tipoff": 2}

    @pytest.mark.parametrize("text", ["TBD", "tba", "Time TBD", ""])
    def test_a_game_without_a_time_is_kept(self, folder: Folder, text: str) -> None:
        later = game(game_date="2025-03-01", tipoff=text)
        folder.write("schedule.csv", [game(), later])
        assert len(folder.slate()["games"]) == 1

    @pytest.mark.parametrize("tipoff", ["", "2025-01-11T05:10:00Z"])
    def test_a_game_that_is_delayed_past_midnight_has_its_lines(
        self, folder: Folder, tipoff: str
    ) -> None:
        folder.write("schedule.csv", [game(tipoff=tipoff)])
        folder.write("points_lines.csv", both(24.5, commence_time="2025-01-11T05:10:00Z"))
        assert player(folder.slate())["base_line"] == 24.5

    def test_a_tip_off_that_moved_is_not_an_error(self, folder: Folder) -> None:
        moved = game(tipoff="2025-01-11T03:30:00Z", observed_at="2025-01-10T20:00:00Z")
        folder.write("schedule.csv", [game(observed_at="2025-01-02T20:00:00Z"), moved])
        slate = folder.slate()
        assert slate["games"][0]["tip_off"] == "2025-01-11T03:30:00Z"
        assert superseded(slate, "schedule") == 1


class TestInjuries:
    @pytest.mark.parametrize(
        "name", ["Denver, Otis", "Otis Denver", "DENVER,  OTIS", "Denver Jr., Otis"]
    )
    def test_a_player_who_is_out_is_skipped_however_he_is_written(
        self, folder: Folder, name: str
    ) -> None:
        folder.write("injuries.csv", [{"game_date": "2025-01-10", "player": name, "status": "Out"}])
        slate = folder.slate()
        assert slate["skipped"] == [{"player_lookup": "otisdenver", "reason": "injury_report: OUT"}]
        assert gate(slate, "injury_report_is_there")["result"] == "pass"

    def test_a_name_that_nobody_has_is_reported(self, folder: Folder) -> None:
        rows = [{"game_date": "2025-01-10", "player": "Denver, Quentin", "status": "Out"}]
        folder.write("injuries.csv", rows)
        slate = folder.slate()
        assert [each["kind"] for each in slate["unmatched"]] == ["injuries"]
        assert "Quentin" in slate["unmatched"][0]["name"]
        found = gate(slate, "injury_report_is_there")
        assert found["result"] != "pass"
        assert "Quentin" in found["message"]

    def test_the_later_report_of_the_day_counts(self, folder: Folder) -> None:
        row = {"game_date": "2025-01-10", "player": "Otis Denver"}
        folder.write("injuries_0900.csv", [row | {"status": "Questionable"}])
        folder.write("injuries_1700.csv", [row | {"status": "Out"}])
        slate = folder.slate()
        assert [each["player_lookup"] for each in slate["skipped"]] == ["otisdenver"]
        assert superseded(slate, "injuries") == 1

    def test_a_report_in_the_twelve_hour_clock(self, folder: Folder) -> None:
        row = {"game_date": "2025-01-10", "player": "Otis Denver"}
        folder.write("injuries_2025-01-10_05PM.csv", [row | {"status": "Available"}])
        folder.write("injuries_2025-01-10_11AM.csv", [row | {"status": "Out"}])
        assert folder.slate()["skipped"] == []


class TestIdentity:
    def test_a_renamed_player_is_one_player_with_the_newest_name(self, folder: Folder) -> None:
        rows = logs()
        for row in rows:
            if row["PLAYER_ID"] == 11 and row["GAME_DATE"] != PLAYED[0]:
                row["PLAYER_NAME"] = "Omar Sunrise"
        folder.write("player_game_logs.csv", rows)
        slate = folder.slate()
        assert len(slate["players"]) == 4
        found = player(slate, "omarsunrise")
        assert (found["player_id"], found["games_this_season"]) == (11, 3)
        # The book still writes the former name.
        assert found["base_line"] == 24.5

    def test_two_players_of_one_name_are_told_apart_by_their_team(self, folder: Folder) -> None:
        other = [log(31, "Otis Denver", "LAL", day, MATCHUP="LAL @ BOS") for day in PLAYED]
        folder.write("player_game_logs.csv", [*logs(), *other])
        slate = folder.slate()
        assert [p["base_line"] for p in slate["players"] if p["player_id"] == 11] == [24.5]
        assert slate["unmatched"] == []

    def test_two_players_of_one_name_in_one_game_are_both_named(self, folder: Folder) -> None:
        other = [log(31, "Otis Denver", "PHX", day) for day in PLAYED]
        folder.write("player_game_logs.csv", [*logs(), *other])
        slate = folder.slate()
        assert [each["kind"] for each in slate["unmatched"]] == ["points_lines"]
        assert all(p["base_line"] is None for p in slate["players"])


class TestBoxScores:
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"SEASON_ID": 32024, "MATCHUP": "WST @ EST", "TEAM_ABBREVIATION": "WST"}, "all_star"),
            ({"SEASON_ID": 12024}, "preseason"),
            ({"SEASON_ID": "", "GAME_ID": "0032400001"}, "all_star"),
            ({"SEASON_ID": "", "GAME_ID": 12400001}, "preseason"),
        ],
    )
    def test_games_that_do_not_count_are_left_out(
        self, folder: Folder, changes: dict[str, object], reason: str
    ) -> None:
        extra = log(11, "Otis Denver", "DEN", "2025-01-09", **changes)
        folder.write("player_game_logs.csv", [*logs(), extra])
        slate = folder.slate()
        assert len(slate["players"]) == 4
        assert player(slate)["games_this_season"] == 3
        assert dropped(slate, "player_game_logs") == {reason: 1}

    def test_a_season_that_contradicts_the_dates_is_refused(self, folder: Folder) -> None:
        folder.write("player_game_logs.csv", logs(SEASON_ID=22025))
        with pytest.raises(SourceDataError, match="season"):
            folder.slate()

    def test_points_that_contradict_the_made_shots_are_refused(self, folder: Folder) -> None:
        folder.write("player_game_logs.csv", logs(PTS=5))
        with pytest.raises(SourceDataError, match=r"PTS.*24"):
            folder.slate()

    def test_one_bad_row_is_set_aside(self, folder: Folder) -> None:
        rows = logs()
        rows[4]["PTS"] = 90
        folder.write("player_game_logs.csv", rows)
        slate = folder.slate()
        assert player(slate)["games_this_season"] == 2
        (account,) = (each for each in slate["inputs"] if each["rejected"])
        assert (account["rejected"][0]["row"], account["rejected"][0]["column"]) == (5, "PTS")
        assert gate(slate, "rows_are_valid")["result"] == "warn"

    def test_a_correction_replaces_the_row(self, folder: Folder) -> None:
        again = log(11, "Otis Denver", "DEN", "2025-01-08", AST=4)
        folder.write("player_game_logs_2025-01-08_again.csv", [again])
        slate = folder.slate()
        assert player(slate)["games_this_season"] == 3
        assert superseded(slate, "player_game_logs") == 1
        notes = " ".join(each["note"] for each in slate["inputs"])
        assert "AST 3 -> 4" in notes


class TestFiles:
    def test_a_compressed_file_is_read(self, folder: Folder) -> None:
        plain = folder.path / "points_lines.csv"
        compressed = gzip.compress(plain.read_bytes())
        plain.unlink()
        (folder.path / "points_lines.csv.gz").write_bytes(compressed)
        assert player(folder.slate())["base_line"] == 24.5

    @pytest.mark.parametrize(
        "name",
        ["point_lines.csv", "lines.csv", "points_lines.json", "odds.txt", "points_lines.xlsx"],
    )
    def test_a_file_that_is_not_read_is_named(self, folder: Folder, name: str) -> None:
        (folder.path / name).write_text("{}")
        (account,) = (each for each in folder.slate()["inputs"] if not each["read"])
        assert account["path"] == name
        assert account["note"]

    def test_brackets_in_a_name_are_no_pattern(self, folder: Folder) -> None:
        (folder.path / "player_game_logs.csv").rename(folder.path / "player_game_logs[1].csv")
        assert len(folder.slate()["players"]) == 4

    @pytest.mark.parametrize("separator", [";", "\t", "|"])
    def test_another_separator_is_named(self, folder: Folder, separator: str) -> None:
        folder.write("player_game_logs.csv", logs(), separator)
        with pytest.raises(SourceDataError, match="separated by"):
            folder.slate()

    def test_an_unknown_market_label_is_named(self, folder: Folder) -> None:
        folder.write("points_lines.csv", both(24.5, market="Player Points"))
        slate = folder.slate()
        assert player(slate)["base_line"] is None
        messages = " ".join(each["message"] for each in slate["gates"])
        assert "'Player Points'" in messages
        assert "player_points" in messages
