"""How fast and how small Mooring is, measured against what others would use: ``make bench``.

Every figure is a ratio, or a size, of one run on one machine, with the raw numbers beside it. It runs inside
``scripts/in-namespace`` with the laboratory's real servers. It is no test: nothing fails for being slow, but the
exit status says whether a target was missed. Start at ``__main__.py``; each measure is a file.
"""
