"""The other side of what services call: HTTP servers of a test's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def answering(port: int, *routes: web.RouteDef) -> AsyncIterator[None]:
    """Answer requests to a port of this machine until the block ends, which waits for nobody who is kept waiting."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield
    finally:
        await runner.cleanup()
