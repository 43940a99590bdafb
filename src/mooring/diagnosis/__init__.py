"""Does this mail server need static addresses, and how do we know: evidence, and the verdict that follows from it.

Probes gather evidence, each one pair of source and server address through one protocol, stage by stage. The verdict is
a pure function of the evidence: a table that a person can read (``table.py``). Start at ``types.py`` for the words,
then ``runner.py`` for how a diagnosis goes.
"""
