"""Every fixture lives in a plugin by its concern."""

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
