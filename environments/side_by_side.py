"""Work that goes on side by side, such as questions to a language model or to a server."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

_Done = TypeVar("_Done")

_BEGUN_AT_ONCE = 16


async def side_by_side(work: Iterable[Coroutine[Any, Any, _Done]]) -> list[_Done]:
    """What comes of some work, in its order; all of it is open together. Where some fails, the rest is ended.

    Nothing is asked for a result that nobody will have: no new question begins, and one that is on its way is given up.
    Replies that have come by then are in the call store and among the lessons, because they are kept as they come.

    A few are begun at a time. Begun at once, a cohort of thousands would write all of its questions before the first is
    on its way, and the model would wait meanwhile.
    """
    begun: list[asyncio.Task[_Done]] = []
    try:
        for each in work:
            begun.append(asyncio.create_task(each))
            if len(begun) % _BEGUN_AT_ONCE == 0:
                await asyncio.sleep(0)
        return await asyncio.gather(*begun)
    except BaseException:
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
        raise
