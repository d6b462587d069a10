"""Events of which one value changes, for each value that a model reads."""

from __future__ import annotations

# What was, and what one value that changed makes of it: # is the case, so that each has
# users, orders, regions and a year of its own, and nothing else touches them.
CHANGES = {
    "the region of a customer whose order names none": (
        "s#,20#-01-01,signup,u#,Ann,ann@example.org,EMEA#,,\n"
        "o#,20#-02-01,order,u#,,,,X#,10\n",
        "s#,20#-01-01,signup,u#,Ann,ann@example.org,MARS#,,\n",
    ),
    "a name": ("s#,20#-01-01,profile,u#,Ann,,,,\n", "s#,20#-01-01,profile,u#,Bo,,,,\n"),
    "an address": (
        "s#,20#-01-01,profile,u#,,a@example.org,,,\n",
        "s#,20#-01-01,profile,u#,,b@example.org,,,\n",
    ),
    "the region of an order": (
        "s#,20#-02-01,profile,u#,,,EMEA#,,\no#,20#-01-01,order,u#,,,A#,X#,10\n",
        "o#,20#-01-01,order,u#,,,B#,X#,10\n",
    ),
    "an amount": (
        "o#,20#-01-01,order,u#,,,A#,X#,10\n",
        "o#,20#-01-01,order,u#,,,A#,X#,11\n",
    ),
    "two amounts of one order and time": (
        "o#,20#-01-01,order,u#,,,A#,X#,10\np#,20#-01-01,order,u#,,,A#,X#,20\n",
        "o#,20#-01-01,order,u#,,,A#,X#,20\np#,20#-01-01,order,u#,,,A#,X#,10\n",
    ),
    "two names of one time": (
        "o#,20#-01-01,profile,u#,Ann,,,,\np#,20#-01-01,profile,u#,Bo,,,,\n",
        "o#,20#-01-01,profile,u#,Bo,,,,\np#,20#-01-01,profile,u#,Ann,,,,\n",
    ),
    "the month of an order": (
        "o#,20#-01-01,order,u#,,,A#,X#,10\n",
        "o#,20#-03-01,order,u#,,,A#,X#,10\n",
    ),
    "the hour of an order between two visits": (
        "v#,20#-01-01,visit,u#,,,,,\no#,20#-01-01T10:00Z,order,u#,,,A#,X#,10\n"
        "w#,20#-01-01T22:00Z,visit,u#,,,,,\n",
        "o#,20#-01-01T11:00Z,order,u#,,,A#,X#,10\n",
    ),
    "who ordered": (
        "o#,20#-01-01,order,u#,,,A#,X#,10\np#,20#-01-01,order,u#,,,A#,Y#,10\n",
        "p#,20#-01-01,order,t#,,,A#,Y#,10\n",
    ),
    "an order that was a cancellation": (
        "o#,20#-01-01,order,u#,,,A#,X#,10\np#,20#-01-02,cancel,u#,,,,X#,\n",
        "p#,20#-01-02,order,u#,,,A#,X#,10\n",
    ),
    "a cancellation that was before its order": (
        "o#,20#-01-02,order,u#,,,A#,X#,10\np#,20#-01-01,cancel,u#,,,,X#,\n",
        "p#,20#-01-03,cancel,u#,,,,X#,\n",
    ),
    "the number of an order": (
        "o#,20#-01-01,order,u#,,,A#,X#,10\np#,20#-01-02,cancel,u#,,,,X#,\n",
        "o#,20#-01-01,order,u#,,,A#,Y#,10\n",
    ),
    "a visit that is none": (
        "v#,20#-01-01,visit,u#,,,,,\n",
        "v#,20#-01-01,profile,u#,,,,,\n",
    ),
    "a signup that was none": (
        "v#,20#-01-01,profile,u#,,,,,\n",
        "v#,20#-01-01,signup,u#,,,,,\n",
    ),
    "whose visit it was": (
        "v#,20#-01-01,visit,u#,,,,,\nw#,20#-01-01,visit,u#,,,,,\n",
        "v#,20#-01-01,visit,t#,,,,,\n",
    ),
    "what was the first event of a user": (
        "v#,20#-01-05,visit,u#,,,,,\nw#,20#-02-03,visit,u#,,,,,\n",
        "v#,20#-03-01,visit,u#,,,,,\n",
    ),
}
