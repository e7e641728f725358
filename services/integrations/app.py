"""The composition root of integrations: the one file that knows all its parts."""

from pathlib import Path

import services.integrations
import shared.messaging
from services.integrations.accounts import Accounts
from services.integrations.checks import Checks
from services.integrations.connections import Connections
from services.integrations.connections_api import router as connections_api
from services.integrations.erp.handlers import erp
from services.integrations.erp.handover import Handover
from services.integrations.erp.port import ErpSystem
from services.integrations.erp.sandbox import SandboxErp
from services.integrations.known_there import KnownThere
from services.integrations.news import payment_news, shipping_news
from services.integrations.payment.api import router as payments_api
from services.integrations.payment.handlers import payment
from services.integrations.payment.port import PaymentProvider
from services.integrations.payment.sandbox import SandboxPay
from services.integrations.payment.till import Till
from services.integrations.payment.unmatched import FORGET as FORGET_PAYMENTS
from services.integrations.payment.watch import Watch
from services.integrations.pulse import FORGET as FORGET_LEFT_ALONE
from services.integrations.pulse import Pulse
from services.integrations.settings import IntegrationsSettings
from services.integrations.shipping.despatch import Despatch
from services.integrations.shipping.handlers import shipping
from services.integrations.shipping.port import Carrier
from services.integrations.shipping.sandbox import SandboxPost
from services.integrations.webhooks import FORGET, Listener, router
from shared.contracts.message import personal_field_names
from shared.messaging.effects import Effects
from shared.messaging.facts import Facts
from shared.messaging.incarnations import recognise
from shared.runtime.database import open_pool
from shared.runtime.kit import Messaging
from shared.runtime.operators import router as operators
from shared.runtime.service import Service, run
from shared.runtime.tokens_api import router as tokens

MIGRATIONS = (
    ("messaging", Path(shared.messaging.__path__[0]) / "migrations"),
    ("integrations", Path(services.integrations.__path__[0]) / "sql" / "migrations"),
)


async def compose(settings: IntegrationsSettings) -> Service:
    """Integrations, put together as its settings say; nothing is connected yet."""
    dsn, connections = settings.database_url.get_secret_value(), settings.database_connections
    pool = await open_pool(dsn, name="integrations", connections=connections, on_connect=recognise)
    keyed = await open_pool(dsn, name="integrations kit", connections=connections, keys_only=True, on_connect=recognise)
    messaging = Messaging(
        "integrations",
        settings,
        pool,
        keyed,
        source="/integrations",
        forgets=(FORGET, FORGET_PAYMENTS, FORGET_LEFT_ALONE),
    )
    seal, known_there = settings.seal, KnownThere(pool)
    shops, seconds = Connections(pool, seal), settings.call_timeout
    effects, terms = Effects(keyed, seal=seal), {"seconds": seconds, "holds": settings.holds}
    pulse = Pulse(pool, left_alone=effects.left_alone)
    payments = Accounts[PaymentProvider](
        shops, "payment", {"sandbox": lambda account: SandboxPay(account, seconds=seconds, heard=pulse.of(account))}
    )
    carriers = Accounts[Carrier](
        shops, "shipping", {"sandbox": lambda account: SandboxPost(account, seconds=seconds, heard=pulse.of(account))}
    )
    systems = Accounts[ErpSystem](
        shops, "erp", {"sandbox": lambda account: SandboxErp(account, seconds=seconds, heard=pulse.of(account))}
    )
    checks = Checks(pool, {"payment": payments, "shipping": carriers, "erp": systems}, pulse)
    late_after = settings.unmatched_after
    till = Till(effects, payments, pool, late_after=late_after, **terms)
    despatch = Despatch(effects, carriers, known_there, Facts(pool), **terms)
    messaging.work_outside([payment], {Till: till}, source="/integrations/payment")
    messaging.work_outside([shipping], {Despatch: despatch}, source="/integrations/shipping")
    messaging.work_outside([erp], {Handover: Handover(effects, systems, **terms)}, source="/integrations/erp")
    messaging.run_everywhere(pulse)
    messaging.work_beside(Watch(pool, late_after=late_after))
    messaging.take_repairs()
    listeners = {
        "payment": Listener(payment, "/integrations/payment", payments, payment_news),
        "shipping": Listener(shipping, "/integrations/shipping", carriers, shipping_news),
    }
    return Service(
        "integrations",
        settings,
        pool,
        components=messaging.components(facts=True),
        routers=(router, payments_api, connections_api, tokens, operators),
        state={
            "repairs": messaging.repairs,
            "stands": messaging.stands(),
            "listeners": listeners,
            "checks": checks,
            "pulse": pulse,
            "keyed_pool": keyed,
        },
        migrations=MIGRATIONS,
        checks=messaging.checks(),
        more_pools=(keyed,),
        closing=(payments.close, carriers.close, systems.close),
    )


if __name__ == "__main__":
    run("integrations", IntegrationsSettings, compose, personal=personal_field_names())
