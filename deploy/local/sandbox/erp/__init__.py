"""Sandbox ERP: keeps sales orders, knows no idempotency keys, and sends no webhooks."""
