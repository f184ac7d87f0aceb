"""Whether a new model is good enough to take the place of the current one.

    python -m training compare NEW CURRENT SNAPSHOT --out FILE [--answers FILE] [--cache DIR]

NEW and CURRENT are model folders of the same kind (both draw, or both are ``clip`` models);
CURRENT is ``-`` where there is none. Both draw the same prompts from the same seeds, and one
judge, which conditioned neither, looks at both. FILE gets, whole or not at all:

    {"promoted": bool, "why": one sentence,
     "judges": [{"name", "new", "current", "difference", "low", "high", "margin", "says"}, …],
     "prompts": [str, …], "seeds": [int, …]}

Numbers are floats or null. ``difference`` has the sign that makes up better; ``low`` and ``high``
are its 5th and 95th percentile. ``says`` is "better" (low > 0), "no worse" (low ≥ −margin),
"worse" (high < 0) or "cannot tell". The new model is promoted where every judge says "better" or
"no worse". The judge ``people`` has a veto alone: it blocks where it says "worse".
Without a current model a new one must be better than chance, where that can be measured:
``current``, ``difference``, ``low`` and ``high`` are then null or held against chance.

``--answers`` is JSON {"new": [p, …], "current": [p, …]}: for pictures that people were asked
about, the belief that they show what was asked; used where both have 20 or more.
Exit status 0 whatever the verdict; 1 with a sentence on stderr where there can be none.
"""
