"""Servers for tests: PostgreSQL and Redis of this machine in temporary folders, and a proxy between.

    with Postgres(password="secret", tls=True) as database, Redis() as redis:
        print(database.url, redis.url)
        database.kill()
        database.restart()

Nothing but Python's own library and the servers' programs. Addresses are ports of 127.0.0.1 below
the range that the kernel gives out, and unix sockets with short paths. What is started dies with the
thread that started it, so that an interrupted test leaves nothing behind.
"""

from .backing import backing
from .certificates import Authority, Certificate
from .postgres import Postgres
from .processes import Missing, Server, free_port, wait_for
from .proxy import Proxy
from .redis import Redis, Sentinel

__all__ = ("Authority", "Certificate", "Missing", "Postgres", "Proxy", "Redis", "Sentinel", "Server",
           "backing", "free_port", "wait_for")
