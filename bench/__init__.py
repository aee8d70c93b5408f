"""Bounded benchmarks that print ratios; `python -m bench --list` names them, floors.toml says what they must reach.

The shared machines they run on swing from minute to minute, so nothing here is compared with an earlier run: every
figure stands beside a reference measured in the same minute, in alternating turns, and the median counts.
"""
