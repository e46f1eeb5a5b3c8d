"""What a load costs, beside a loop that only fetches: `make bench`, or `python -m benchmarks --help`.

Nothing here is a test: no time is asserted. All subjects read the same registry in turns, so what else the machine
does hits all of them; read the ratios, not the seconds.
"""
