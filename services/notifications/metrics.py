"""What notifications counts."""

from prometheus_client import Counter

mails = Counter("notifications_mails", "Mails by message kind and outcome.", ["template", "outcome"])
renderers_started = Counter(
    "notifications_renderers_started", "Rendering processes started; each after the first died."
)
