"""Games, game dates, teams and the names of players.

Code here holds facts about the league that several inputs share. Parsing a particular input belongs
in `inputs/`.
"""
