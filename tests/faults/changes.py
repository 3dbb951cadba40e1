"""Reloads, replaced plugins and upgrades."""

import os
import random
import shutil

from deployment import TEST_PLUGINS


def reload(run):
    """A reload every second."""
    with run.serving() as site:
        for _ in run.every(1.0):
            outcome = site.rtctl("reload", "--wait")
            run.check(outcome.returncode == 0, outcome.stdout)
            run.did("reloads")


def upgrade(run):
    """rtd is upgraded to the same program every two seconds."""
    with run.serving() as site:
        pid = site.process.pid
        for _ in run.every(min(2.0, run.seconds / 2)):
            outcome = site.rtctl("upgrade")
            run.check(outcome.returncode == 0, outcome.stdout)
            run.did("upgrades")
        run.check(site.process.poll() is None and site.process.pid == pid, "it did not live on")


# --- a plugin's file

def whole(label):
    name = "target" if label == "first" else "target-later"
    with open(os.path.join(TEST_PLUGINS, f"{name}.so"), "rb") as file:
        return file.read()


def put_in_place(path, data):
    """Overwritten as `cp` does, under the feet of whoever has it mapped."""
    with open(path, "r+b" if os.path.exists(path) else "wb") as file:
        file.truncate(0)
        file.write(data)


def overwrite_partly(path):
    with open(path, "r+b") as file:
        file.seek(1000)
        file.write(os.urandom(8000))


def truncate(path):
    os.truncate(path, os.path.getsize(path) // 2)


def empty(path):
    os.truncate(path, 0)


def fill_with_garbage(path):
    put_in_place(path, random.Random(1).randbytes(50_000))


def make_a_folder(path):
    os.unlink(path)
    os.mkdir(path)


def make_a_dangling_link(path):
    os.unlink(path)
    os.symlink("/nowhere/target.so", path)


# How the file is spoilt while the old generation serves from its copies.
SPOILED = (overwrite_partly, truncate, empty, os.unlink, fill_with_garbage, make_a_folder,
           make_a_dangling_link)


def restore(path, data):
    if os.path.isdir(path):
        os.rmdir(path)
    elif os.path.islink(path):
        os.unlink(path)
    put_in_place(path, data)


def replace(run):
    """A plugin's file is spoilt and a reload asked for, then restored as another version."""
    with run.serving() as site:
        path = os.path.join(site.plugins, "target.so")
        for turn in run.every(0.5):
            spoil = SPOILED[turn // 2 % len(SPOILED)]
            label = ("later", "first")[turn // 2 % 2]
            if turn % 2 == 0:
                spoil(path)
                outcome = site.rtctl("reload", "--wait")
                run.check(outcome.returncode != 0, f"{spoil.__name__}: {outcome.stdout}")
                run.did("refused")
            else:
                restore(path, whole(label))
                outcome = site.rtctl("reload", "--wait")
                run.check(outcome.returncode == 0, outcome.stdout)
                body = site.get(f"/work/probe{turn}/0")[1]
                run.check(f" {label} " in body, f"{body} is not by the plugin that calls itself {label}")
                run.did("taken up")


def replace_meanwhile(run):
    """A plugin's file goes through every state while reloads run; each must be whole or refused."""
    with run.serving() as site:
        path = os.path.join(site.plugins, "target.so")
        for turn in run.every(0.5):
            waiting = site.rtctl("reload")
            run.check(waiting.returncode == 0, waiting.stdout)
            SPOILED[turn % 4](path)
            restore(path, whole(("later", "first")[turn % 2]))
            run.did("replaced during a reload")
        shutil.copy(os.path.join(TEST_PLUGINS, "target-later.so"), path)
        outcome = site.rtctl("reload", "--wait")
        run.check(outcome.returncode == 0, outcome.stdout)
        body = site.get("/work/last/0")[1]
        run.check(" later " in body, f"{body} is not by the last plugin")


FAULTS = {"reload": reload, "upgrade": upgrade, "replace": replace, "replace-meanwhile": replace_meanwhile}
