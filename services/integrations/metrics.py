"""What integrations counts."""

from prometheus_client import Counter

webhooks = Counter("integrations_webhooks", "Webhooks by kind and what became of them.", ["kind", "became"])
