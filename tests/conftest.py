"""How Hypothesis draws its examples."""

from hypothesis import HealthCheck, settings

# no test depends on the time it takes: the machine may be busy
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# the same examples on every machine and every day; `make test-all` draws new ones
settings.register_profile("repeatable", settings.get_profile("patient"), derandomize=True)
settings.register_profile("drawn", settings.get_profile("patient"), derandomize=False)
settings.load_profile("repeatable")
