"""rtctl call: capability methods called from the shell in a real rtd."""

import concurrent.futures
import contextlib
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import unittest

from deployment import BUILD, LIMIT, RTCTL, RTD, deployment, deployment_of, Deployment, wait_for

PLUGINS = os.path.join(BUILD, "plugins")
PLAIN = 'log: { format = "pretty"; level = "debug"; };\n'
PRODUCTION = ('environment = "production";\nallow_root = true;\n'
              'log: { format = "pretty"; };\n')
TWO = PRODUCTION + 'workers = 2;\n'
SECRET = "s3cr3tM4RKs3cr3t"
MOST = 1 << 20
MAIL = {"from": "shop@example.org", "to": ["ann@example.org", "bob@example.org"],
        "subject": "Grüße \u2713", "text": "one\ntwo \"three\"", "tags": ["a"],
        "headers": [{"name": "X-Order", "value": "7"}],
        "attachments": [{"filename": "a.bin", "content_type": "application/octet-stream",
                         "data": "AAEC/w=="}]}


@contextlib.contextmanager
def puppets(config=PLAIN, names=("puppet",), loads=None):
    """A deployment of providers of puppet/1; a test opens the gate by making the file."""
    with deployment(names) as made:
        made.gate = made.path("gate")
        wanted = ", ".join(f'"{name}"' for name in loads or names)
        made.write(f"{config}load = [{wanted}];\n")
        yield made


@contextlib.contextmanager
def mails(config=PLAIN):
    made = Deployment()
    for name in ("email-memory", "clock-system", "transfer-curl"):
        [path] = glob.glob(os.path.join(PLUGINS, "**", name + ".so"),
                           recursive=True)
        shutil.copy(path, made.plugins)
    made.write(config + 'load = ["email-memory", "clock-system", "transfer-curl"];\n')
    with deployment_of(made):
        made.start_ready()
        yield made


def open_gate(made):
    with open(made.gate, "w", encoding="utf-8"):
        pass


def command(made, *arguments):
    return [RTCTL, "call", *arguments, "--config", made.config]


def call(made, *arguments, stdin=None):
    """Standard output and standard error apart."""
    given = [json.dumps(word) if isinstance(word, dict) else word for word in arguments]
    outcome = subprocess.run(command(made, *given), capture_output=True, timeout=LIMIT, check=False,
                             input=stdin or b"", env=made.environment())
    outcome.stdout, outcome.stderr = outcome.stdout.decode(), outcome.stderr.decode()
    for mark in ("Sanitizer", "runtime error:"):
        if mark in outcome.stderr:
            raise AssertionError(outcome.stderr)
    return outcome


def result(made, *arguments):
    outcome = call(made, *arguments)
    if outcome.returncode or outcome.stderr:
        raise AssertionError(f"{arguments}: {outcome.returncode}\n{outcome.stderr}")
    return json.loads(outcome.stdout)


def start_call(made, *arguments):
    given = [json.dumps(word) if isinstance(word, dict) else word for word in arguments]
    return subprocess.Popen(command(made, *given), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=made.environment())


def ask(made, line):
    [path] = glob.glob(os.path.join(made.runtime, "*.sock"))
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(LIMIT)
    connection.connect(path)
    connection.sendall(line)
    return connection


def reply(connection):
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def state(made):
    outcome = made.rtctl("status", "--json")
    return [worker for generation in json.loads(outcome.stdout)["generations"]
            for worker in generation["workers"]]


class Calling(unittest.TestCase):
    def fails(self, made, status, text, *arguments, stdin=None):
        outcome = call(made, *arguments, stdin=stdin)
        self.assertEqual((outcome.returncode, outcome.stdout, outcome.stderr), (status, "", text))

    def test_a_mail_is_sent_and_found_in_the_outbox(self):
        with mails() as made:
            sent = result(made, "email.send", {"message": MAIL})["result"]
            self.assertEqual((sent["status"], sent["error_code"], sent["error_message"]),
                             ("accepted", 0, None))
            entry = result(made, "outbox.get", {"index": 0})["entry"]
            self.assertEqual((entry["code"], entry["id"]), (0, sent["id"]))
            kept = {name: value for name, value in entry["message"].items() if value}
            self.assertEqual(kept, MAIL)
            self.assertEqual(result(made, "outbox.count"), {"count": 1})
            batch = result(made, "email.send-batch",
                           {"messages": [MAIL, {**MAIL, "to": ["reject@example.org"]}]})["results"]
            self.assertEqual([one["status"] for one in batch], ["accepted", "rejected"])
            self.assertIn("reject@example.org", batch[1]["error_message"])
            self.assertEqual(result(made, "outbox.clear"), {})
            self.assertEqual(result(made, "outbox.count", {}), {"count": 0})
            self.assertEqual(made.stop(), 0)

    def test_the_clock_tells_the_time_and_goes_on(self):
        with mails() as made:
            first = result(made, "clock.monotonic")["nanoseconds"]
            self.assertGreater(result(made, "clock.monotonic")["nanoseconds"], first)
            self.assertGreater(result(made, "clock.now")["nanoseconds"], 1700000000 * 10**9)
            self.fails(made, 69, "UNIMPLEMENTED: `clock.set` is not bound or not offered by its "
                       "provider\n", "clock.set", {"nanoseconds": 1})

    def test_a_call_is_logged_as_any_other_call_of_the_method_is(self):
        with mails() as made:
            result(made, "email.send", {"message": MAIL})
            call(made, "outbox.get", '{"index": 5}')
            self.assertRegex(made.log(), r"DEBUG rtctl +email\.send completed in \S+ ms trace=\S+ correlation=")
            self.assertRegex(made.log(), r"ERROR rtctl +outbox\.get failed after \S+ ms "
                                         r"code=NOT_FOUND message=")

    def test_what_can_be_called_is_listed(self):
        with mails() as made:
            listed = call(made, "--list")
            self.assertEqual((listed.returncode, listed.stderr), (0, ""))
            self.assertEqual(set(listed.stdout.splitlines()), {
                "clock-system         clock.now() -> nanoseconds",
                "clock-system         clock.monotonic() -> nanoseconds",
                "clock-system         clock.set(nanoseconds)",
                "clock-system         clock.advance(nanoseconds)",
                "email-memory         email.send(message) -> result",
                "email-memory         email.send_batch(messages) -> results",
                "email-memory         outbox.count() -> count",
                "email-memory         outbox.get(index) -> entry",
                "email-memory         outbox.clear()",
                "email-memory         outbox.fail_next(code, calls)",
                "transfer-curl        transfer.perform(easy) -> code   (not with JSON)"})

    def test_a_method_says_what_it_takes_with_an_example_that_it_takes(self):
        with mails() as made:
            described = call(made, "email.send", "--describe")
            self.assertEqual((described.returncode, described.stderr), (0, ""))
            lines = described.stdout.splitlines()
            self.assertEqual(lines[:2], ["email.send of `email-memory`, may wait", "takes"])
            self.assertIn("    to                   array of strings", lines)
            self.assertIn('    status               one of "accepted", "queued", "rejected"', lines)
            self.assertNotIn("size", described.stdout)
            example = json.loads(lines[-1].removeprefix("  rtctl call email.send '").removesuffix("'"))
            example["message"].update({"from": "a@example.org", "to": ["b@example.org"], "cc": [],
                                       "bcc": [], "reply_to": None, "headers": []})
            example["message"]["attachments"][0]["content_type"] = "text/plain"
            self.assertEqual(result(made, "email.send", example)["result"]["status"], "accepted")
            without = call(made, "email.send")
            self.assertEqual((without.returncode, without.stdout, without.stderr),
                             (64, "", described.stdout))
            self.assertEqual(call(made, "clock.now", "--describe").stdout,
                             "clock.now of `clock-system`, may be repeated\ntakes nothing\nreturns\n"
                             "  nanoseconds            integer\nexample\n  rtctl call clock.now\n")
            self.assertEqual(call(made, "transfer.perform", "--describe").stdout.splitlines()[1:],
                             ["takes", "  easy                   no JSON form (void *)", "returns",
                              "  code                   integer of 32 bits",
                              "cannot be called with JSON"])

    def test_what_a_plugin_gives_away_of_its_secrets_is_not_in_the_answer(self):
        with puppets(PLAIN + f'puppet: {{ password = "{SECRET}"; }};\n') as made:
            made.start_ready()
            said = result(made, "puppet.say", {"text": "password"})["text_said"]
            self.assertEqual(said, "***")
            self.assertNotIn(SECRET, made.log())

    def test_an_error_has_code_domain_message_detail_hint_and_cause(self):
        with puppets() as made:
            made.start_ready()
            rest = ("domain: PUPPET_BROKEN\ndetail: at the neck\nhint: glue it\n"
                    "cause: the head fell off\n")
            for code, name, status in ((3, "INVALID_ARGUMENT", 65), (5, "NOT_FOUND", 66),
                                       (6, "ALREADY_EXISTS", 73), (7, "PERMISSION_DENIED", 77),
                                       (8, "RESOURCE_EXHAUSTED", 75), (13, "INTERNAL", 70),
                                       (14, "UNAVAILABLE", 69), (15, "DATA_LOSS", 74),
                                       (16, "UNAUTHENTICATED", 77)):
                self.fails(made, status, f"{name}: the puppet ?[31mbroke\n{rest}",
                           "puppet.fail", {"code": code})
            self.fails(made, 70, "INTERNAL: the call ended as a defect: the strings are cut\n",
                       "puppet.die")
            self.fails(made, 69, "UNIMPLEMENTED: `puppet.left_out` is not bound or not offered by its "
                       "provider\n", "puppet.left-out")
            self.assertEqual(made.stop(), 0)

    def test_what_does_not_exist_is_said_with_what_may_be_meant(self):
        hint = "hint: `rtctl call --list` lists what can be called\n"
        with mails() as made:
            self.fails(made, 66, "NOT_FOUND: nothing provides `emial`; did you mean `email`?\n" + hint,
                       "emial.send", {})
            self.fails(made, 66, "NOT_FOUND: `email` has no method `sent`; did you mean `send`?\n" + hint,
                       "email.sent", {})
            self.fails(made, 69, "UNIMPLEMENTED: `transfer.perform` cannot be called with JSON: its "
                       "argument `easy` (void *) has no JSON form\n", "transfer.perform", {})
            self.fails(made, 66, "NOT_FOUND: `clock-system` does not provide `email`\n"
                       "hint: these do: `email-memory`\n",
                       "email.send", {}, "--instance", "clock-system")

    def test_json_comes_from_standard_input_too(self):
        with puppets() as made:
            made.start_ready()
            outcome = call(made, "puppet.say", "-", stdin=b' {"text":\n"from a pipe"}\n')
            self.assertEqual(json.loads(outcome.stdout)["text_said"], "from a pipe")
            self.fails(made, 65, "INVALID_ARGUMENT: the JSON is not valid at byte 0: there is no value\n",
                       "puppet.say", "-")
            self.fails(made, 65, "INVALID_ARGUMENT: the JSON holds NUL\n", "puppet.say", "-",
                       stdin=b'{"text":"a\0b"}')

    def test_a_mebibyte_goes_each_way_and_no_more(self):
        head, tail = b'{"text":"', b'"}'
        with puppets() as made:
            made.start_ready()
            text = b"y" * (MOST - len(head + tail))
            outcome = call(made, "puppet.fill", "-", stdin=b'{"bytes":1048000}')
            self.assertEqual(len(json.loads(outcome.stdout)["text"]), 1048000)
            self.fails(made, 75, "RESOURCE_EXHAUSTED: the result is larger than 1048576 bytes\n",
                       "puppet.fill", {"bytes": MOST})
            outcome = call(made, "puppet.say", "-", stdin=head + text + tail)
            self.assertEqual(outcome.returncode, 75, outcome.stderr)  # with its name it is larger
            outcome = call(made, "puppet.say", "-", stdin=head + text[:-100] + tail)
            self.assertEqual(json.loads(outcome.stdout)["text_said"], text[:-100].decode())
            outcome = call(made, "puppet.say", "-", stdin=head + text + tail + b" ")
            self.assertEqual((outcome.returncode, outcome.stderr),
                             (2, "rtctl call: the JSON has more than 1 MiB\n"))
            self.assertEqual(made.stop(), 0)


class Misuse(unittest.TestCase):
    def test_rtctl_refuses_what_makes_no_sense_before_it_asks(self):
        with puppets() as made:
            for words, text in (((), "usage: rtctl call "),
                                (("--list", "a.b"), "usage: rtctl call "),
                                (("a.b", "{}", "{}"), "unexpected word `{}`"),
                                (("send", "{}"), "`send` is not CAPABILITY.METHOD"),
                                ((".send", "{}"), "`.send` is not CAPABILITY.METHOD"),
                                (("email.", "{}"), "`email.` is not CAPABILITY.METHOD"),
                                (("a b.c", "{}"), "`a b.c` is not CAPABILITY.METHOD"),
                                (("a.b", "{}", "--timeout", "soon"), "`--timeout`"),
                                (("a.b", "{}", "--timeout", "0 s"), "`--timeout`"),
                                (("a.b", "{}", "--timeout", "2 d"), "`--timeout`"),
                                (("a.b", "{}", "--worker", "0"), "a worker is a number, not `0`"),
                                (("a.b", "{}", "--worker", "x"), "a worker is a number, not `x`"),
                                (("a.b", "{}", "--instance", "a b"), "`a b` is no instance")):
                outcome = call(made, *words)
                self.assertEqual((outcome.returncode, outcome.stdout), (2, ""))
                self.assertIn(text, outcome.stderr)

    def test_without_an_rtd_it_says_so(self):
        with puppets() as made:
            outcome = call(made, "puppet.say", "{}")
            self.assertEqual((outcome.returncode, outcome.stdout), (69, ""))
            self.assertIn("no rtd answers", outcome.stderr)

    def test_a_client_that_speaks_wrongly_is_told(self):
        with puppets() as made:
            made.start_ready()
            for line, text in ((b"call\n", "a call needs the method"),
                               (b"call say\n", "a method is named as in `email.send`"),
                               (b"call puppet.say now\n", "a call has no such word"),
                               (b"call puppet.say json=1048577\n", "a number of the call is wrong"),
                               (b"call puppet.say json=-1\n", "a number of the call is wrong"),
                               (b"call puppet.say json=\n", "a number of the call is wrong"),
                               (b"call puppet.say timeout=0\n", "a call needs more time than none"),
                               (b"call puppet.say timeout=99999999999999999999\n",
                                "a number of the call is wrong"),
                               (b"call" + b" x.y" * 16 + b"\n", "a request is a line of 1 to 16")):
                self.assertEqual(reply(ask(made, line)).splitlines()[-1], "exit 64", line)
                self.assertIn(text, reply(ask(made, line)))
            self.assertIn("that worker is not ready", reply(ask(made, b"call puppet.say worker=9\n")))
            self.assertEqual(made.stop(), 0)

    def test_json_that_is_hostile_is_refused_and_hurts_nobody(self):
        deep = b'{"text":' + b"[" * 500000 + b"]" * 500000 + b"}"
        many = b'{' + b",".join(b'"%d":0' % i for i in range(100000)) + b"}"
        with puppets() as made:
            made.start_ready()
            for bad in (b"", b"{", b"null", b"[]", b"1", b'"text"', b"{}{}", b'{"text":"\xff"}',
                        b'{"text":"\\ud800"}', b'{"text":1e999}', b'{"text":"a","text":"b"}',
                        b'{"text":"\\u0000"}', b'{"text":{"a":1}}', b"\xef\xbb\xbf{}", deep, many,
                        b'{"' + b"k" * 1000000 + b'":1}', b"{" * 1000000, b"\x1b[2J"):
                outcome = call(made, "puppet.say", "-", stdin=bad)
                self.assertEqual((outcome.returncode, outcome.stdout), (65, ""), bad[:40])
                self.assertTrue(outcome.stderr.startswith("INVALID_ARGUMENT: "), outcome.stderr[:200])
                self.assertLess(len(outcome.stderr), 300)
            self.assertEqual(len(state(made)), 1)
            self.assertEqual(state(made)[0]["restarts"], 0)
            self.assertEqual(made.stop(), 0)

    def test_a_client_that_stops_in_the_middle_hurts_nobody(self):
        with puppets() as made:
            made.start_ready()
            halves = [ask(made, b"call puppet.say json=1048576\n" + b"{" * 1000) for _ in range(40)]
            self.assertEqual(result(made, "puppet.say", {"text": "between"})["text_said"], "between")
            for connection in halves:
                connection.close()
            whole = b'{"text":"in pieces"}'
            connection = ask(made, b"call puppet.say json=%d\n" % len(whole))
            for byte in whole:
                connection.sendall(bytes([byte]))
            self.assertIn('"text_said":"in pieces"', reply(connection))
            longer = reply(ask(made, b"call puppet.say json=%d\n" % len(whole) + whole + b"{}"))
            self.assertIn('"text_said":"in pieces"', longer)
            self.assertEqual(made.stop(), 0)


class Waiting(unittest.TestCase):
    def begun(self, made, times=1):
        wait_for(lambda: made.log().count("waiting for the gate") >= times, "the call")

    def test_a_call_that_waits_holds_up_nobody(self):
        with puppets() as made, concurrent.futures.ThreadPoolExecutor(8) as pool:
            made.start_ready()
            waiting = [pool.submit(call, made, "puppet.wait", {"gate": made.gate}) for _ in range(8)]
            self.begun(made, 8)
            self.assertEqual(result(made, "puppet.say", {"text": "between"})["text_said"], "between")
            self.assertIn("rtctl.call", made.rtctl("fibers").stdout)
            open_gate(made)
            self.assertEqual({(done.result().returncode, done.result().stdout) for done in waiting},
                             {(0, "{}\n")})
            self.assertEqual(made.stop(), 0)

    def test_a_call_has_so_much_time(self):
        with puppets() as made:
            made.start_ready()
            outcome = call(made, "puppet.stay", {"gate": made.gate}, "--timeout", "200 ms")
            self.assertEqual((outcome.returncode, outcome.stdout), (75, ""))
            self.assertEqual(outcome.stderr, "DEADLINE_EXCEEDED: the deadline has passed\n"
                             "hint: it had 0.2 s; `--timeout` gives it more\n")
            made.wait_for_log("the wait ended: DEADLINE_EXCEEDED")
            self.assertEqual(made.stop(), 0)

    def test_who_gives_up_cancels_the_call(self):
        with puppets() as made:
            made.start_ready()
            child = start_call(made, "puppet.stay", {"gate": made.gate})
            self.begun(made)
            child.send_signal(signal.SIGINT)
            child.communicate(timeout=LIMIT)
            made.wait_for_log("the wait ended: CANCELLED")
            self.assertEqual(result(made, "puppet.say", {"text": "after"})["text_said"], "after")
            self.assertEqual(made.stop(), 0)

    def test_a_call_that_holds_the_loop_is_named_when_its_time_is_over(self):
        with puppets() as made:
            made.start_ready()
            outcome = call(made, "puppet.hold", {"gate": made.gate}, "--timeout", "100 ms")
            self.assertEqual((outcome.returncode, outcome.stdout), (75, ""))
            self.assertRegex(outcome.stderr, r"^DEADLINE_EXCEEDED: worker 1 \(pid \d+\) does not answer: "
                                             r"`call puppet\.hold` of `puppet` holds its loop\n$")
            open_gate(made)
            self.assertEqual(result(made, "puppet.say", {"text": "after"})["text_said"], "after")
            self.assertEqual(made.stop(), 0)

    def test_a_worker_that_ends_meanwhile_is_told(self):
        with puppets() as made:
            made.start_ready()
            outcome = call(made, "puppet.crash")
            self.assertEqual((outcome.returncode, outcome.stdout), (70, ""))
            self.assertRegex(outcome.stderr, r"^INTERNAL: worker 1 \(pid \d+\) ended during the call\n"
                                             r"hint: the log and `rtctl crashes` tell why\n$")
            made.wait_for_log("serves again")
            self.assertIn("`call puppet.crash`", made.log())
            self.assertEqual(result(made, "puppet.say", {"text": "after"})["text_said"], "after")
            self.assertEqual(made.stop(), 0)

    def test_a_method_that_keeps_crashing_is_quarantined_alone(self):
        with puppets(PLAIN + "quarantine = true;\n") as made:
            made.start_ready()
            for crash in range(3):
                wait_for(lambda: state(made)[0]["state"] == "ready", "the worker")
                self.assertEqual(call(made, "puppet.crash").returncode, 70, crash)
            made.wait_for_log("`call puppet.crash` of `puppet` is quarantined")
            wait_for(lambda: state(made)[0]["state"] == "ready", "the worker")
            outcome = call(made, "puppet.crash")
            self.assertEqual((outcome.returncode, outcome.stderr),
                             (69, "UNAVAILABLE: `puppet.crash` is quarantined: it keeps crashing the "
                                  "worker\nhint: a reload or `rtctl quarantine clear` lifts it\n"))
            self.assertEqual(result(made, "puppet.say", {"text": "after"})["text_said"], "after")
            self.assertIn("call puppet.crash", made.rtctl("quarantine").stdout)
            self.assertEqual(made.rtctl("quarantine", "clear", "call puppet.crash").returncode, 0)
            self.assertEqual(call(made, "puppet.crash").returncode, 70)
            wait_for(lambda: state(made)[0]["state"] == "ready", "the worker")
            self.assertEqual(made.stop(), 0)

    def test_a_reload_leaves_a_call_its_time(self):
        with puppets() as made, concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            waiting = pool.submit(call, made, "puppet.wait", {"gate": made.gate})
            self.begun(made)
            self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
            self.assertEqual(result(made, "puppet.say", {"text": "new"})["text_said"], "new")
            open_gate(made)
            self.assertEqual((waiting.result().returncode, waiting.result().stdout), (0, "{}\n"))
            self.assertEqual(made.stop(), 0)

    def test_a_stop_ends_calls_when_the_time_to_drain_is_over(self):
        with puppets(PLAIN + 'drain_timeout = "200 ms";\n') as made, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            waiting = pool.submit(call, made, "puppet.stay", {"gate": made.gate})
            self.begun(made)
            self.assertEqual(made.stop(), 0)
            self.assertEqual(waiting.result().returncode, 75)
            self.assertIn("CANCELLED: ", waiting.result().stderr)
            self.assertIn("the wait ended: CANCELLED", made.log())

    def test_an_upgrade_tells_who_waits_to_ask_again(self):
        with puppets() as made, concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.program = made.path("rtd")
            shutil.copy(RTD, made.program)
            made.start_ready()
            waiting = pool.submit(call, made, "puppet.wait", {"gate": made.gate}, "--timeout", "60 s")
            self.begun(made)
            self.assertEqual(made.rtctl("upgrade").returncode, 0)
            self.assertEqual((waiting.result().returncode, waiting.result().stderr),
                             (75, "UNAVAILABLE: rtd is upgraded: ask again\n"))
            self.assertEqual(result(made, "puppet.say", {"text": "new"})["text_said"], "new")
            open_gate(made)
            self.assertEqual(made.stop(), 0)


class Choosing(unittest.TestCase):
    def who(self, made, *options):
        return result(made, "puppet.say", {"text": "x"}, *options)["who"]

    def test_an_instance_can_be_named(self):
        with puppets(names=("puppet", "puppet-other")) as made:
            made.start_ready()
            for name in ("puppet", "puppet-other"):
                self.assertEqual(self.who(made, "--instance", name), name)

    def test_the_one_that_consumers_are_bound_to_is_called(self):
        for name in ("puppet", "puppet-other"):
            bind = f'{PLAIN}bind: {{ puppet = "{name}"; }};\n'
            with puppets(bind, ("puppet", "puppet-other", "puppeteer")) as made:
                made.start_ready()
                self.assertEqual(made.get("/puppeteer"), (200, name))
                self.assertEqual(self.who(made), name)

    def test_consumers_that_are_bound_apart_leave_the_choice(self):
        config = (PLAIN + 'puppeteer: { use: { puppet = "puppet"; }; };\n'
                  'puppeteer-second: { use: { puppet = "puppet-other"; }; };\n')
        names = ("puppet", "puppet-other", "puppeteer", "puppeteer-second")
        with puppets(config, names) as made:
            made.start_ready()
            outcome = call(made, "puppet.say", {"text": "x"})
            self.assertEqual(outcome.returncode, 65)
            self.assertRegex(outcome.stderr, "^FAILED_PRECONDITION: consumers of `puppet` are bound to "
                                             "different providers\nhint: choose with `--instance`: "
                                             "`puppet.*`, `puppet.*`\n$")
            self.assertEqual(self.who(made, "--instance", "puppet-other"), "puppet-other")

    def test_a_module_of_an_older_sdk_is_told_apart(self):
        with puppets(names=("puppet", "puppet-old")) as made:
            made.start_ready()
            outcome = call(made, "puppet.say", {"text": "x"}, "--instance", "puppet-old")
            self.assertEqual(outcome.returncode, 69)
            self.assertRegex(outcome.stderr, "^UNIMPLEMENTED: `puppet-old` does not say what JSON its "
                                             r"methods take: it was built for ABI 1\.1\n"
                                             r"hint: build it with the SDK of ABI 1\.\d+\n$")
            self.assertIn("puppet-old           puppet   (built for ABI 1.1: not with JSON)\n",
                          call(made, "--list").stdout)
            self.assertEqual(self.who(made, "--instance", "puppet"), "puppet")

    def test_a_module_whose_forms_make_no_sense_does_not_start(self):
        with puppets(names=("puppet-odd",)) as made:
            made.start()
            self.assertNotEqual(made.wait(), 0)
            self.assertIn("it says nothing sensible of the form of `puppet/1`", made.log())

    def test_a_provider_that_starts_late_is_started_by_a_call(self):
        with mails(PLAIN + 'email-memory: { start = "lazy"; };\n') as made:
            self.assertEqual(result(made, "outbox.count"), {"count": 0})
            self.assertEqual(made.stop(), 0)

    def test_of_two_workers_the_first_is_called_unless_another_is_named(self):
        with puppets(TWO) as made:
            made.start_ready()
            pids = [worker["pid"] for worker in state(made)]
            called = {result(made, "puppet.say", {"text": "x"})["pid"] for _ in range(5)}
            self.assertEqual(called, {pids[0]})
            self.assertEqual(result(made, "puppet.say", {"text": "x"}, "--worker", "2")["pid"], pids[1])
            self.assertEqual(made.stop(), 0)

    def test_in_production_each_call_is_logged_with_who_asked_but_not_with_what(self):
        with puppets(PRODUCTION) as made:
            made.start_ready()
            result(made, "puppet.say", {"text": "n0t-t0-be-l0gged"})
            call(made, "puppet.fail", '{"code": 5}')
            self.assertRegex(made.log(), rf"INFO +rtd +control socket: uid {os.getuid()} calls "
                                         r"`puppet\.say` in worker 1\n")
            self.assertRegex(made.log(), rf"INFO +rtd +control socket: uid {os.getuid()} calls "
                                         r"`puppet\.fail` in worker 1\n")
            self.assertNotIn("n0t-t0-be-l0gged", made.log())
            self.assertEqual(made.stop(), 0)


if __name__ == "__main__":
    unittest.main()
