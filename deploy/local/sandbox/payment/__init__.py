"""Sandbox Pay: authorised at a checkout, captured, refunded and voided by whoever handles the order."""
