"""Sandbox Post: books shipments, prints labels, and tells where a shipment is."""
