"""What a plugin's test runs on: its embedded defaults, or with RT_INTEGRATION=1 real servers."""

import contextlib
import json
import os
import subprocess

from .postgres import Postgres
from .redis import Redis

# Taken out of the environment: rt would look for a setting of that name.
INTEGRATION = os.environ.pop("RT_INTEGRATION", "0") not in ("", "0")
# capability: the server behind its provider, and that provider's settings
SERVERS = {
    "sql": (Postgres, lambda server: {"postgres.url": server.url}),
    "redis": (Redis, lambda server: {"redis.url": server.url}),
}


def required(rtctl, config, arguments):
    """The capabilities that the modules of a deployment are bound to, or would be."""
    done = subprocess.run([rtctl, "plan", "--json", "--config", config, *arguments], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise AssertionError(f"rtctl plan: {done.stderr}")
    return {binding["capability"] for module in json.loads(done.stdout)["modules"]
            for binding in module["bindings"]}


@contextlib.contextmanager
def backing(config, *arguments, rtctl=os.environ.get("RTCTL", "rtctl")):
    """Yields arguments for rtd and rtctl: `arguments`, and with RT_INTEGRATION=1 the settings that
    lead what the deployment requires to servers that live until the end:

        with backing("runtime.conf") as settings:
            subprocess.Popen(["rtd", "--config", "runtime.conf", *settings])
    """
    found = list(arguments)
    with contextlib.ExitStack() as servers:
        needed = required(rtctl, config, arguments) if INTEGRATION else ()
        for capability, (server, settings) in SERVERS.items():
            if capability in needed:
                for path, value in settings(servers.enter_context(server())).items():
                    found += ["--set", f'{path}="{value}"']
        yield found
