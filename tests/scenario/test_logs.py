"""The log of a running rtd: levels of modules, lines that repeat, the journal, files that rotate."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import unittest

from deployment import LIMIT, Deployment, deployment, deployment_of, read, wait_for

PLUGINS = ("front", "store", "gossip")
SECRET = "gossips-own-secret"
MODULES = ('store: { trace = "$TRACE"; };\nfront: { trace = "$TRACE"; };\n'
           'gossip: { password = "@env:GOSSIP"; };\n')
os.environ["GOSSIP"] = SECRET
UNHEARD = 'telemetry: { endpoint = "http://127.0.0.1:1"; traces: { delay = "10 ms"; }; };\n'
PRETTY = 'log: { format = "pretty"; %s };\n'


def config(log="", more=""):
    return PRETTY % log + more + MODULES


class Levels(unittest.TestCase):
    def test_a_module_has_the_level_that_the_configuration_gives_it(self):
        with deployment(PLUGINS, config('level = "warn"; levels: { gossip = "info"; };')) as made:
            made.start()
            wait_for(lambda: self.serves(made), "a server")
            made.get("/repeat?text=heard")
            self.assertIn("INFO  gossip  0: heard", made.log())
            self.assertNotIn("ready: ", made.log())
            self.assertEqual(made.rtctl("log-level").stdout, "warn\ninfo gossip\n")
            self.assertEqual(made.stop(), 0)

    @staticmethod
    def serves(made):
        try:
            return made.get("/who")
        except OSError:
            return None

    def test_a_reload_takes_levels_over_and_ends_those_that_were_set_by_hand(self):
        with deployment(PLUGINS, config('level = "info";')) as made:
            made.start_ready()
            made.rtctl("log-level", "trace", "front")
            self.assertEqual(made.rtctl("log-level").stdout, "info\ntrace front\n")
            made.write(config('level = "info"; levels: { gossip = "error"; rtd = "debug"; };'))
            self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
            self.assertEqual(made.rtctl("log-level").stdout, "info\nerror gossip\ndebug rtd\n")
            made.get("/repeat?text=unheard")
            self.assertEqual(made.stop(), 0)
            self.assertNotIn("0: unheard", made.log())

    def test_a_worker_that_is_replaced_has_them_too(self):
        with deployment(PLUGINS, config('level = "warn"; levels: { gossip = "info"; rtd = "info"; };')
                        ) as made:
            made.start_ready()
            with self.assertRaises(OSError):
                made.get("/crash")
            made.wait_for_log("serves again")
            made.get("/repeat?text=again")
            made.wait_for_log("INFO  gossip  0: again")
            self.assertEqual(made.stop(), 0)


class Repeating(unittest.TestCase):
    def counts(self, made):
        """(lines written, lines summed up)"""
        lines = [line for line in made.log().splitlines() if " gossip " in line and "a flood" in line]
        sums = [int(found[1]) for found in map(re.compile(r" repeated=(\d+)").search, lines) if found]
        return len(lines) - len(sums), sum(sums)

    def test_a_flood_is_summed_up_once_its_second_is_over(self):
        with deployment(PLUGINS, config()) as made:
            made.start_ready()
            made.get("/repeat?text=a+flood&times=5000")
            wait_for(lambda: sum(self.counts(made)) == 5000, "the sum of the flood")
            written, summed = self.counts(made)
            self.assertGreaterEqual(written, 100)
            self.assertLess(written, 2500)
            self.assertEqual(written + summed, 5000)
            self.assertEqual(made.stop(), 0)

    def test_what_is_held_back_is_told_at_the_end_at_the_latest(self):
        with deployment(PLUGINS, config("repeat = 3;")) as made:
            made.start_ready()
            made.get("/repeat?text=a+flood&times=50")
            self.assertEqual(made.stop(), 0)
            self.assertEqual(sum(self.counts(made)), 50)
            self.assertLess(self.counts(made)[0], 50)

    def test_each_line_is_written_where_no_limit_is_wanted(self):
        with deployment(PLUGINS, config("repeat = 0;")) as made:
            made.start_ready()
            made.get("/repeat?text=a+flood&times=2000")
            self.assertEqual(self.counts(made), (2000, 0))
            self.assertEqual(made.stop(), 0)


def fields_of(datagram):
    """A record of the journal's native protocol."""
    fields = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        if b"=" in line:
            name, _, value = line.partition(b"=")
        else:
            length = struct.unpack_from("<Q", rest)[0]
            name, value, rest = line, rest[8:8 + length], rest[9 + length:]
        fields[name.decode()] = value.decode()
        datagram = rest
    return fields


class Journal:
    """A socket that takes records as the journal does, whoever writes them."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        self.records = []
        self.thread = threading.Thread(target=self.take, daemon=True)
        self.thread.start()

    def take(self):
        while True:
            datagram, descriptors, _, _ = socket.recv_fds(self.socket, 1 << 20, 1)
            if datagram == b"end":
                return
            for descriptor in descriptors:
                with open(descriptor, "rb") as file:
                    file.seek(0)
                    datagram = file.read()
            self.records.append(fields_of(datagram))

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"end", self.socket.getsockname())
        self.thread.join(LIMIT)
        self.socket.close()

    def find(self, text):
        return [record for record in self.records if text in record["MESSAGE"]]


class Journaling(unittest.TestCase):
    def setUp(self):
        self.made = Deployment(PLUGINS)
        self.made.write("")
        manager = deployment_of(self.made)
        manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        self.journal = Journal(self.made.path("journal"))
        self.addCleanup(self.journal.close)
        self.configured = f'journal = "{self.made.path("journal")}";'

    def wait(self, text):
        return wait_for(lambda: self.journal.find(text), f"`{text}` in the journal")[0]

    def get_traced(self, path, parent):
        connection = http.client.HTTPConnection("127.0.0.1", self.made.port, timeout=LIMIT)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"traceparent": parent})
            self.assertEqual(connection.getresponse().status, 200)

    def test_records_of_all_processes_arrive_with_their_fields(self):
        made = self.made
        made.write('name = "shop";\n' + 'log: { format = "journal"; %s };\n' % self.configured + MODULES)
        made.start()
        ready = self.wait("ready: ")
        self.assertEqual((ready["PRIORITY"], ready["SYSLOG_IDENTIFIER"], ready["RT_MODULE"]),
                         ("6", "shop", "rtd"))
        trace, span = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"
        self.get_traced("/repeat?text=two%0Alines%3Dmore", f"00-{trace}-{span}-00")
        record = self.wait("two")
        self.assertEqual(record["MESSAGE"], "0: two\nlines=more")
        self.assertEqual(record["RT_MODULE"], "gossip")
        self.assertRegex(record["CORRELATION_ID"], r"^\S+$")
        self.assertEqual((record["TRACE_ID"], record["SPAN_ID"]), (trace, span))
        made.get("/tell/log")
        self.assertEqual(self.wait("***")["PRIORITY"], "6")
        self.assertFalse(any(SECRET in value for record in self.journal.records
                             for value in record.values()))
        self.assertEqual(made.stop(), 0)
        self.wait("stopped")
        self.assertNotIn("0: two", made.log())

    def test_the_exporter_writes_there_too(self):
        made = self.made
        made.write('log: { format = "journal"; %s };\n' % self.configured + UNHEARD + MODULES)
        made.start()
        self.wait("ready: ")
        made.get("/who")
        self.assertEqual(self.wait("cannot export traces")["RT_MODULE"], "rtd")
        self.assertEqual(made.stop(), 0)

    def test_a_record_too_large_for_a_datagram_arrives_whole(self):
        made = self.made
        made.write('log: { format = "journal"; %s };\n' % self.configured + MODULES)
        made.start()
        self.wait("ready: ")
        self.assertEqual(made.get("/tell/much")[0], 200)
        self.assertEqual(self.wait("much")["MANY_ZEROS"], "7".zfill(600_000))
        self.assertEqual(made.stop(), 0)

    def start_with_stream(self, named):
        """Standard error is a pipe that JOURNAL_STREAM names, or not; what arrives there."""
        made = self.made
        reader, writer = os.pipe()
        status = os.fstat(writer)
        number = status.st_ino + (0 if named else 1)
        made.process = subprocess.Popen(
            made.command(), stdin=subprocess.DEVNULL, stdout=writer, stderr=writer,
            env=made.environment({"JOURNAL_STREAM": f"{status.st_dev}:{number}"}),
            start_new_session=True)
        os.close(writer)
        return os.fdopen(reader, encoding="utf-8", errors="replace")

    def test_where_standard_error_is_the_journal_it_is_found(self):
        self.made.write("log: { %s };\n" % self.configured + MODULES)
        with self.start_with_stream(True) as stream:
            self.wait("ready: ")
            self.made.get("/repeat?text=found")
            self.assertEqual(self.wait("0: found")["RT_MODULE"], "gossip")
            self.assertEqual(self.made.stop(), 0)
            self.assertNotIn("0: found", stream.read())

    def test_a_form_that_was_asked_for_is_kept(self):
        self.made.write('log: { format = "json"; %s };\n' % self.configured + MODULES)
        with self.start_with_stream(True) as stream:
            for line in stream:
                if "ready: " in line:
                    break
            self.assertEqual(self.made.stop(), 0)
            self.assertIn("stopped", stream.read())
        self.assertEqual(self.journal.records, [])

    def test_another_pipe_is_not_the_journal(self):
        self.made.write("log: { %s };\n" % self.configured + MODULES)
        with self.start_with_stream(False) as stream:
            for line in stream:
                if "ready: " in line:
                    break
            self.assertEqual(self.made.stop(), 0)
            stream.read()
        self.assertEqual(self.journal.records, [])

    def test_a_journal_that_is_asked_for_and_not_there_ends_the_start(self):
        self.made.write('log: { format = "journal"; journal = "nowhere"; };\n' + MODULES)
        self.made.start()
        self.assertEqual(self.made.wait(), 74)
        self.assertRegex(self.made.log(), "cannot open the log `.*nowhere`: No such file")


class Rotating(unittest.TestCase):
    LOG = 'log: { format = "json"; file = "rt.log"; repeat = 0; };\n'

    def started(self, more="", access='access_log: { file = "access.log"; };'):
        made = Deployment(PLUGINS)
        manager = deployment_of(made)
        manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        made.write(self.LOG + more + MODULES)
        with open(made.config, encoding="utf-8") as file:
            text = file.read()
        with open(made.config, "w", encoding="utf-8") as file:
            file.write(text.replace("]; };\n", f"]; {access} }};\n", 1))
        made.log_file = made.path("rt.log")
        made.start_ready()
        return made

    @staticmethod
    def messages(path):
        return [json.loads(line) for line in read(path).splitlines()]

    def rotate(self, made, number, *names):
        """As logrotate: moves the files, then tells rtd; over when all have new ones."""
        for name in names:
            os.rename(made.path(name), made.path(f"{name}.{number}"))
        made.process.send_signal(signal.SIGUSR1)
        for name in names:
            wait_for(lambda: os.path.exists(made.path(name)), f"a new {name}")

    def assert_all_there(self, made, name, wanted, find):
        """Each of `wanted` is in exactly one of the files, and once."""
        found = []
        for entry in sorted(os.listdir(made.folder)):
            if entry == name or entry.startswith(name + "."):
                found += [value for value in map(find, self.messages(made.path(entry))) if value]
        self.assertEqual(len(found), len(set(found)))
        self.assertEqual(set(wanted) - set(found), set())

    def test_under_load_every_request_has_its_line_in_exactly_one_file(self):
        made = self.started('environment = "staging";\nallow_root = true;\nworkers = 2;\n')
        names, over = [], threading.Event()

        def ask(client):
            number = 0
            while not over.is_set():
                name = f"c{client}n{number}"
                if made.get(f"/repeat?text={name}")[0] == 200:
                    names.append(name)
                number += 1

        clients = [threading.Thread(target=ask, args=(client,)) for client in range(3)]
        for client in clients:
            client.start()
        try:
            for number in range(1, 6):
                before = len(names)
                wait_for(lambda: len(names) > before + 20, "requests between rotations")
                self.rotate(made, number, "rt.log", "access.log")
        finally:
            over.set()
            for client in clients:
                client.join(LIMIT)
        self.assertEqual(made.stop(), 0)
        self.assert_all_there(made, "rt.log", names, lambda record: re.sub(
            "^0: ", "", record["message"]) if record["message"].startswith("0: c") else None)
        self.assert_all_there(made, "access.log", [f"/repeat?text={name}" for name in names],
                              lambda record: record["fields"]["target"])
        self.assertGreater(os.path.getsize(made.path("rt.log.3")), 0)
        self.assertIn("stopped", read(made.path("rt.log")))

    def test_a_generation_that_drains_goes_over_too(self):
        made = self.started()
        slow = threading.Thread(target=made.get, args=("/slow/3000",))
        slow.start()
        wait_for(lambda: any("request" in line for line in made.trace()), "a request that waits")
        made.rtctl("reload", "--wait")
        self.rotate(made, 1, "rt.log", "access.log")
        made.wait_for_log("log files are opened anew")
        slow.join(LIMIT)
        wait_for(lambda: "/slow/3000" in read(made.path("access.log")), "the line of the old worker")
        self.assertEqual(made.stop(), 0)

    def test_an_access_log_that_goes_where_the_log_goes_follows_it(self):
        made = self.started(access='access_log: { format = "json"; };')
        self.rotate(made, 1, "rt.log")
        made.wait_for_log("log files are opened anew")

        def ask():
            made.get("/repeat?text=after")
            return "/repeat?text=after" in read(made.path("rt.log"))
        wait_for(ask, "a line of the access log in the new file")
        self.assertEqual(made.stop(), 0)

    def test_a_file_that_cannot_be_opened_anew_is_kept(self):
        made = self.started()
        os.rename(made.path("rt.log"), made.path("kept"))
        os.mkdir(made.path("rt.log"))
        outcome = made.rtctl("log-reopen")
        self.assertEqual((outcome.returncode, outcome.stdout),
                         (74, "not every log file could be opened anew\n"))
        made.get("/repeat?text=still+here")
        text = read(made.path("kept"))
        self.assertRegex(text, "cannot open `[^`]*rt.log` anew: Is a directory; the old file stays")
        self.assertIn("0: still here", text)
        os.rmdir(made.path("rt.log"))
        self.assertEqual(made.rtctl("log-reopen").stdout, "log files are opened anew\n")
        self.assertEqual(made.stop(), 0)
        self.assertIn("stopped", read(made.path("rt.log")))

    def test_the_exporter_goes_over_too(self):
        made = self.started(UNHEARD)
        made.get("/who")
        made.wait_for_log("cannot export traces")
        self.rotate(made, 1, "rt.log")
        self.assertEqual(made.stop(), 0)
        self.assertIn("items of traces were not exported", read(made.path("rt.log")))
        self.assertNotIn("were not exported", read(made.path("rt.log.1")))

    def test_without_files_there_is_nothing_to_do(self):
        with deployment(PLUGINS, config()) as made:
            made.start_ready()
            outcome = made.rtctl("log-reopen")
            self.assertEqual((outcome.returncode, outcome.stdout), (0, "no log file to open anew\n"))
            made.process.send_signal(signal.SIGUSR1)
            made.wait_for_log("SIGUSR1: no log file to open anew")
            self.assertEqual(made.get("/who")[0], 200)
            self.assertEqual(made.stop(), 0)

    def test_the_signal_sent_to_the_whole_group_ends_nobody(self):
        made = self.started()
        pid = made.get("/pid")
        os.killpg(made.process.pid, signal.SIGUSR1)
        made.wait_for_log("log files are opened anew")
        self.assertEqual(made.get("/pid"), pid)
        self.assertEqual(made.stop(), 0)

    @unittest.skipUnless(os.geteuid() == 0, "workers become another user only from root")
    def test_workers_that_may_not_open_the_file_get_it_from_their_parent(self):
        made = Deployment(PLUGINS)
        manager = deployment_of(made)
        manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        os.mkdir(made.path("private"), 0o700)
        made.write('environment = "staging";\nuser = "nobody";\n'
                   'log: { format = "json"; file = "private/rt.log"; };\n' + MODULES)
        for path in (made.folder, made.temporary):
            os.chmod(path, 0o755)
        with open(made.trace_file, "w", encoding="utf-8"):
            os.chmod(made.trace_file, 0o666)
        made.log_file = made.path("private/rt.log")
        made.start_ready()
        os.rename(made.log_file, made.path("private/rt.log.1"))
        self.assertEqual(made.rtctl("log-reopen").returncode, 0)

        def ask():
            made.get("/repeat?text=after")
            return "0: after" in made.log()
        wait_for(ask, "a line of the worker in the new file")
        status = os.stat(made.log_file)
        self.assertEqual((status.st_uid, status.st_mode & 0o777), (0, 0o640))
        self.assertEqual(made.stop(), 0)


if __name__ == "__main__":
    unittest.main()
