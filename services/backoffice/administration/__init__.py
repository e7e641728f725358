"""The settings of a shop, its people and its tokens, for administrators; shops and their features, for operators."""

from services.backoffice.administration import folders, people, shop, shops, statuses, tokens

ROUTERS = (shop.router, statuses.router, folders.router, people.router, tokens.router, shops.router)
