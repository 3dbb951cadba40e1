"""`rtctl validate` over many plugins, beside `nginx -t` and `apache2 -t` with as many modules.

The plugins are copies of one small plugin whose name is overwritten by others of the same length;
nginx and Apache load the modules that Debian packages for them. What counts is the slope: what one
plugin more costs.
"""

import glob
import os
import subprocess
import sys
import tempfile

from common import APACHE, PREFIX, RTCTL, nginx_command, quartiles, slope, spread, verdict
from common import wall_time

COUNTS = (1, 10, 50, 100, 1000)
RUNS = 15
NAME = "bench-plugin-%04d"
SOURCE = """
#include <rt/rt.h>
RT_MODULE("%(name)s", "1.0.0", "One of many")
RT_SERVES(routes)
RT_OPTION(string, greeting, RT_DEFAULT("Hello"), "First word of the answer")
RT_OPTION(int, repeat, RT_DEFAULT(1) RT_RANGE(1, 10), "How often it says so")
static int greet(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return rt_respond(ctx, response, 200, "text/plain", RT_STR("hello"));
}
RT_REGISTER(registry) { return rt_route(registry, RT_GET, "/%(name)s", greet); }
"""


def build_plugin(folder):
    """The bytes of the plugin whose name is the first one."""
    environment = {**os.environ, "PKG_CONFIG_PATH": f"{PREFIX}/lib/pkgconfig"}
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "rt-sdk"], check=True, text=True,
                           env=environment, stdout=subprocess.PIPE).stdout.split()
    source, plugin = f"{folder}/plugin.c", f"{folder}/plugin.so"
    with open(source, "w", encoding="utf-8") as file:
        file.write(SOURCE % {"name": NAME % 0})
    subprocess.run(["gcc", "-std=gnu17", "-O2", "-fPIC", "-shared", "-o", plugin, source, *flags],
                   check=True)
    subprocess.run(["strip", plugin], check=True)
    with open(plugin, "rb") as file:
        return file.read()


def rtctl_commands(folder):
    image = build_plugin(folder)
    for count in COUNTS:
        plugins = f"{folder}/{count}"
        os.mkdir(plugins)
        for number in range(count):
            with open(f"{plugins}/{NAME % number}.so", "wb") as file:
                file.write(image.replace((NAME % 0).encode(), (NAME % number).encode()))
        config = f"{folder}/{count}.conf"
        with open(config, "w", encoding="utf-8") as file:
            file.write(f'plugins = [ "{plugins}" ];\n')
        yield count, [RTCTL, "validate", "--config", config]


def succeeds(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def loadable(candidates, make_command):
    """The modules that load together, in an order in which they do (some need others first)."""
    chosen, waiting = [], list(candidates)
    while True:
        added = [module for module in waiting
                 if succeeds(make_command(chosen + [module])) and not chosen.append(module)]
        waiting = [module for module in waiting if module not in added]
        if not added:
            return chosen


def nginx_test(folder):
    def make(modules):
        return [*nginx_command(folder, 18079, modules=modules), "-t"]
    return make, glob.glob("/usr/lib/nginx/modules/*.so")


def apache_test(folder):
    def make(modules):
        path = f"{folder}/apache.conf"
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"ServerName localhost\nServerRoot {folder}\nPidFile {folder}/pid\n"
                       f"ErrorLog {folder}/log\nListen 127.0.0.1:18079\n")
            modules_folder = "/usr/lib/apache2/modules"
            for module in [f"{modules_folder}/mod_mpm_event.so", *modules]:
                with open(module, "rb") as image:
                    file.write(f"LoadModule {symbol_of(image.read())} {module}\n")
        return [APACHE, "-t", "-f", path]
    return make, [module for module in glob.glob("/usr/lib/apache2/modules/*.so")
                  if "mod_mpm_" not in module]


def symbol_of(image):
    """The name of an Apache module's descriptor, as it stands in the file's dynamic strings."""
    for word in image.split(b"\0"):
        if word.endswith(b"_module") and word.isascii() and word not in (b"core_module", b"so_module"):
            return word.decode()
    return "none"


def measure(make, counts):
    """[(count, times)], the counts interleaved."""
    times = {count: [] for count in counts}
    for run in range(RUNS + 1):
        for count in counts:
            taken = wall_time(make(count))
            if run:
                times[count].append(taken)
    return list(times.items())


def print_times(name, rows):
    for count, times in rows:
        print(f"  {name} with {count:>4} plugins  {spread(times, 'ms', 1e3)}", flush=True)


def slope_of(name, rows):
    per_plugin, _ = slope([(count, quartiles(times)[1]) for count, times in rows if count <= 100])
    print(f"  {name} slope up to 100  {per_plugin * 1e6:.1f} µs a plugin", flush=True)
    return per_plugin


def other_slope(name, test):
    """What one module more costs a server whose test loads its modules."""
    with tempfile.TemporaryDirectory() as folder:
        make, files = test(folder)
        modules = loadable(sorted(files), make)
        if len(modules) < 10:
            sys.exit(f"only {len(modules)} modules of {name} load")
        counts = sorted({1, 10, min(50, len(modules)), min(100, len(modules))})
        rows = measure(lambda count: make(modules[:count]), counts)
        print_times(name, rows)
        return slope_of(name, rows)


def main():
    print(f"validating, {RUNS} interleaved runs; median [quartiles]")
    with tempfile.TemporaryDirectory() as folder:
        commands = dict(rtctl_commands(folder))
        rows = measure(commands.get, COUNTS)
    print_times("rtctl validate", rows)
    ours = slope_of("rtctl validate", rows)
    theirs = {"nginx -t": other_slope("nginx -t", nginx_test),
              "apache2 -t": other_slope("apache2 -t", apache_test)}
    whole = {count: quartiles(times)[1] for count, times in rows}
    verdict("validate with 1000 plugins", whole[1000] * 1e3, 100, "ms")
    verdict("slope from 100 to 1000 plugins", (whole[1000] - whole[100]) / 900 / ours, 1.25,
            "times the slope up to 100")
    for name, slope_there in theirs.items():
        print(f"slope against {name}: ratio {ours / slope_there:.3f}")
    verdict("slope", ours / min(theirs.values()), 0.25, "of the smaller one")


if __name__ == "__main__":
    main()
