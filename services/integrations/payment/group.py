"""Payment's lanes, and the name under which it speaks."""

from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging.groups import Group

SOURCE = "/integrations/payment"
payment = Group("integrations.payment", ORDERS_EVENTS)
