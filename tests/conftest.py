"""Every fixture lives in a plugin by its concern."""

from hypothesis import settings

pytest_plugins = [
    "tests.plugins.servers",
    "tests.plugins.mailboxes",
    "tests.plugins.sandboxes",
    "tests.plugins.orders",
    "tests.plugins.integrations",
    "tests.plugins.kit",
    "tests.plugins.brokers",
    "tests.plugins.buffers",
    "tests.plugins.system",
    "tests.plugins.backoffice",
]

# No test fails because the machine is busy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
