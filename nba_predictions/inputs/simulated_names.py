"""The names of the simulated league. Its teams and cities do not exist."""

from __future__ import annotations

#: The abbreviations and full names of the thirty teams. None is an abbreviation of the NBA.
TEAMS: tuple[tuple[str, str], ...] = (
    ("ASP", "Ashport Herons"),
    ("BRB", "Brindle Bay Anchors"),
    ("CAF", "Calder Falls Otters"),
    ("COF", "Copperfold Coyotes"),
    ("DRW", "Driftwell Dolphins"),
    ("DUM", "Dunmere Falcons"),
    ("EMB", "Emberlow Embers"),
    ("ESW", "Eastwick Harbor Comets"),
    ("FAL", "Fallowfen Foxes"),
    ("FRO", "Frostmark Bears"),
    ("GLH", "Glenhollow Stags"),
    ("HLM", "Hollowmere Owls"),
    ("IRV", "Ironvale Smiths"),
    ("JUN", "Juniper Gap Jays"),
    ("KES", "Kestrel Point Kites"),
    ("LKS", "Larkspur Lynx"),
    ("MRB", "Marrow Bay Mariners"),
    ("NGT", "Northgate Lanterns"),
    ("OKM", "Oakmoor Badgers"),
    ("PNC", "Pinecairn Rams"),
    ("QRH", "Quarry Hill Quakes"),
    ("RDW", "Redwater Rovers"),
    ("SLV", "Silverlode Swans"),
    ("THB", "Thornbarrow Tides"),
    ("UMB", "Umberland Bisons"),
    ("VRD", "Verdant Cove Vipers"),
    ("WSM", "Westmarch Wardens"),
    ("XAN", "Xanthe Harbor Gulls"),
    ("YRW", "Yarrowick Yaks"),
    ("ZEP", "Zephyr Coast Zeniths"),
)

_FIRST = """
    Abel Adrien Alvaro Amari Anders André Anton Arlo Armel Asher Augustin Aurel Bastian Benoît
    Blaise Bram Brecken Caius Calix Caspian Cato Cedric Ciro Corwin Cyprian D'Arlo Dacian Damaso
    Darius Davor De'Ron Demetri Desmond Dorian Edmar Efrén Elias Emeric Enzo Erasmo Evander Fabrice
    Felix Florian Gael Gaspard Gideon Goran Gustav Hadrian Halvor Hector Hugo Idris Ignace Ilya
    Isandro Ivo J.T. Jarek Jasper Jean-Marc Joaquín Jorn Juhani K.C. Kaspar Keon Kwame Lazar Leandro
    Lennox Lorcan Luka Lysander Maël Magnus Malik Marcel Matthias Milo Mirko Nadir Nestor Nikola
    Octave Odell Orlan Osman Oswin Pascal Perrin Quillan Rafe Ramón Remy Rocco Rurik Sacha Santino
    Severin Silas Stellan Sören Tadeo Tarek Theron Thierry Tiago Tomasz Ulric Umberto Valentin
    Viggo Wendel Xavian Yannick Yves Zeno Zoltan
    """

_LAST = """
    Abernath Adeyo Akerholt Aldermoor Almqvist Amberwell Andrade-Kohl Arkwell Ashgrove Avelar
    Babić-Roe Balderas Barrowclough Beaulac Bellweather Berrigan Birchall Blackmoor Boateng-Hale
    Bonnevie Brackenridge Brankovič Briarwood Bronté Bucklow Cairnes Calloway Candelas Carrowmore
    Castellar Chadburn Claymore Coldwater Corbelle Craddock Crosswell Cuthridge Dahlgren Danvere
    Delacourt Devereaux-Pine Diawaré Dombrow Dovecote Drummore Dubrovnik Dunleavey Eastmond
    Ebersole Eckhart Ellingboe Elmsworth Eskildsen Fairbrother Farrowgate Fenwicke Ferreira-Lund
    Finnborough Flintoft Fonteyn Foxglade Galbraithe Gantry Garrowby Glasswell Godfreyson
    Goldhammer Graywater Greenslade Guimarães Halloway Harrowgate Hawkridge Hazelwood Heathcott
    Helgason Hollowell Huxtable Ibarrondo Inglewhite Ironside Jankauskas Jessamy Jurgensen Kaldor
    Kavanaught Keatinge Kestrelle Kirkwall Kovářik Kristofer Lamberto Langstroth Larkin-Vale
    Leclerque Lindqvist Lockridge Loxley Lundström Maddoxen Malmberg Marchetto Marlowe Mbekiani
    Merriweather Middlemarch Mirandola Montclaire Moorcroft Mwangale N'Dourou Narborough Nettleship
    Nightingale Norrgård Oakhurst Obaseki Okonwe Oldcastle Olivares Orlandsen Osterberg Ottavio
    O'Brannigan Paskevich Pemberley Penhallow Petrovar Pinkerton Plumridge Quarrington Quenneville
    Radcliffe Ravensdale Redfearn Renwicke Rosenqvist Rothwell Ruskinford Sablière Sandoval-Reed
    Saxonby Selwyne Shadwell Silverthorn Skovgaard Smithwick Sorensky Stanhope Stillwater Strand
    Summerhaye Svendahl Tamboura Tannahill Thackery Thistlewood Thornquist Tillermann Torvald
    Trelawney Underhall Vancleave Varga-Moss Velasquín Verhoeven-Day Vickerman Villanuevo
    Wainwright Waldegrave Warburton Weatherby Westerholm Whitlocke Wildgoose Winterbourne Wolstead
    Wrenfield Yarborough Zabransky Zellweg
    """

FIRST_NAMES: tuple[str, ...] = tuple(_FIRST.split())
LAST_NAMES: tuple[str, ...] = tuple(_LAST.split())
#: The number of different names.
NAMES = len(FIRST_NAMES) * len(LAST_NAMES)
# Multiples of a number that is coprime to the number of pairs visit each pair once, far apart.
_STEP = 7_919


def player_name(number: int) -> str:
    """Return the name of a player. Numbers below `NAMES` have different values of player_lookup."""
    pair = (number * _STEP) % NAMES
    first, last = divmod(pair, len(LAST_NAMES))
    suffix = {0: " Jr.", 19: " III"}.get(number % 41, "")
    return f"{FIRST_NAMES[first]} {LAST_NAMES[last]}{suffix}"
