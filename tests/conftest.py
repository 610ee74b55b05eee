"""Test helpers that several folders share (`handmade_projects`) are importable because this file stands here."""

from hypothesis import settings

# the same examples on every machine and every day; `make test-all` draws new ones
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("drawn", derandomize=False)
settings.load_profile("repeatable")
