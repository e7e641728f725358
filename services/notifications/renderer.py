"""Letters come from a warm child process, so that no template can stop the service or see its secrets."""

import json
from pathlib import Path

from services.notifications import metrics
from services.notifications.rendering import TEMPLATES, Letter, RenderRequest
from shared.runtime.children import Children


class Renderer:
    """Renders one letter at a time."""

    def __init__(self, *, seconds: float, folder: Path = TEMPLATES) -> None:
        self._children = Children(
            "services.notifications.render_worker",
            str(folder),
            seconds=seconds,
            started=metrics.renderers_started.inc,
        )

    async def render(self, request: RenderRequest) -> Letter:
        """The letter. Raises Fault when the template is wrong, NotMade when it takes too long or kills its process."""
        return Letter(**json.loads(await self._children.make(request.model_dump_json().encode())))

    async def close(self) -> None:
        """Ends the child."""
        await self._children.close()
