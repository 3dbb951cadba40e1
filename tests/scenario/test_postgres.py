"""The provider `postgres`: what its conformance suite cannot see. The module `desk` asks."""

import os
import unittest
import unittest.mock
import urllib.parse

from bank import Later, bank
from databases import Authority, Postgres
from deployment import free_port, wait_for

REFUSED = 69  # exit status of a start that failed


class Case(unittest.TestCase):
    def expect(self, made, path, text):
        status, answer = made.ask(path)
        self.assertEqual((status, answer), (200, text))

    def value(self, made, statement):
        status, answer = made.ask("/value?q=" + urllib.parse.quote(statement))
        self.assertEqual(status, 200, answer)
        return answer


class Sharing(Case):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Postgres())

    def desk(self, **settings):
        return bank("desk", "postgres", {"url": self.server.url, **settings})

    def test_of_short_statements_on_one_connection_the_failed_ones_end_no_other(self):
        with self.desk(shared=1) as made:
            for _ in range(5):
                self.expect(made, "/mixed", "8 answered, 8 failed")

    def test_a_short_statement_that_was_given_up_disturbs_no_neighbour(self):
        with self.desk(shared=1) as made:
            self.expect(made, "/abandoned", "DEADLINE_EXCEEDED, then 8 on the same connection")

    def test_a_short_statement_that_lasts_is_ended_by_the_server(self):
        with self.desk(shared=1, short_timeout="100 ms") as made:
            self.expect(made, "/abandoned", "DEADLINE_EXCEEDED, then 8 on the same connection")
            self.assertNotIn("canceling", made.log())

    def test_the_end_of_a_shared_connection_is_noticed_by_all_who_use_it(self):
        # libpq closes the socket in whatever call meets its end, also while others wait for it
        folder = urllib.parse.quote(self.server.socket_folder, safe="")
        url = f"postgresql://postgres@{folder}:{self.server.port}/postgres"
        with self.desk(shared=1, short_timeout="100 ms", url=url) as made:
            for _ in range(30):
                self.expect(made, "/severed", "0 waited in vain")

    def test_without_shared_connections_short_statements_have_their_own(self):
        with self.desk(shared=0) as made:
            self.expect(made, "/mixed", "8 answered, 8 failed")

    def test_a_connection_keeps_no_more_statements_than_it_may(self):
        with self.desk(shared=1, pool=1, prepared=8) as made:
            self.expect(made, "/turnover/50", "8, 8")

    def test_a_statement_that_the_session_has_lost_is_prepared_anew(self):
        with self.desk(pool=1) as made:
            self.expect(made, "/forgotten", "82")

    def test_connections_that_nobody_uses_are_closed(self):
        count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'idlers'"
        with self.desk(idle_timeout="200 ms", shared=0, application_name="idlers") as made:
            self.value(made, "SELECT 'x'")
            wait_for(lambda: self.server.psql(count) == "0", "the connections to be closed")
            self.value(made, "SELECT 'x'")


class Sessions(Case):
    def test_a_session_begins_with_what_is_configured(self):
        with Postgres() as server:
            server.psql("CREATE SCHEMA \"my app\"")
            with bank("desk", "postgres", {"url": server.url, "schema": '"my app", public',
                                           "statement_timeout": "7 s",
                                           "application_name": "the desk"}) as made:
                for name, value in (("search_path", '"my app", public'), ("TimeZone", "UTC"),
                                    ("statement_timeout", "7s"), ("application_name", "the desk"),
                                    ("client_encoding", "UTF8")):
                    self.assertEqual(self.value(made, f"SHOW {name}"), value)

    def test_a_unix_socket_does_as_well(self):
        with Postgres() as server:
            folder = urllib.parse.quote(server.socket_folder, safe="")
            url = f"postgresql://postgres@{folder}:{server.port}/postgres"
            with bank("desk", "postgres", {"url": url}) as made:
                self.assertEqual(self.value(made, "SELECT coalesce(inet_client_addr()::text, 'local')"),
                                 "local")
                self.expect(made, "/mixed", "8 answered, 8 failed")

    def test_the_password_is_proved_over_the_encrypted_connection_alone(self):
        with Authority() as authority, \
                Postgres(password="a secret of ours", tls=authority.issue()) as server, \
                bank("desk", "postgres", {"url": server.url, "password": "a secret of ours",
                                          "tls": "verify-full", "ca": authority.certificate,
                                          "channel_binding": "require"}) as made:
            self.assertEqual(self.value(made, "SELECT ssl::text FROM pg_stat_ssl "
                                              "WHERE pid = pg_backend_pid()"), "true")
            self.expect(made, "/mixed", "8 answered, 8 failed")
            self.expect(made, "/streamed/10000", "10000")
            self.assertNotIn("a secret of ours", made.log())

    def test_of_several_hosts_the_first_that_will_do_is_taken(self):
        with Postgres(settings={"default_transaction_read_only": "on"}) as first, Postgres() as second:
            hosts = f"127.0.0.1:{free_port()},127.0.0.1:{first.port},127.0.0.1:{second.port}"
            for target, port in (("any", first.port), ("read-only", first.port),
                                 ("read-write", second.port), ("primary", first.port),
                                 ("prefer-standby", first.port)):
                with self.subTest(target=target), \
                        bank("desk", "postgres", {"url": f"postgresql://postgres@{hosts}/postgres",
                                                  "target": target}) as made:
                    self.assertEqual(self.value(made, "SHOW port"), str(port))

    def test_when_a_host_is_gone_the_next_takes_over(self):
        with Postgres() as first, Postgres() as second:
            hosts = f"127.0.0.1:{first.port},127.0.0.1:{second.port}"
            with bank("desk", "postgres", {"url": f"postgresql://postgres@{hosts}/postgres"}) as made:
                self.assertEqual(self.value(made, "SHOW port"), str(first.port))
                first.kill()
                made.wait_for_answer("/mixed")
                self.assertEqual(self.value(made, "SHOW port"), str(second.port))


class Much(Case):
    """Memory does not grow with what passes through."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Postgres())
        options = os.environ.get("ASAN_OPTIONS", "")
        cls.enterClassContext(unittest.mock.patch.dict(  # else freed memory is kept for its finds
            os.environ, {"ASAN_OPTIONS": f"{options}:quarantine_size_mb=1".lstrip(":")}))

    def peak(self, made):
        """MiB of the worker."""
        with open(f"/proc/{made.workers()[0]}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))

    def check(self, path):
        with bank("desk", "postgres", {"url": self.server.url}) as made:
            self.expect(made, f"{path}/20000", "20000")
            before = self.peak(made)
            self.expect(made, f"{path}/400000", "400000")
            self.assertLess(self.peak(made) - before, 16)

    def test_a_stream_takes_as_much_memory_as_a_piece(self):
        self.check("/streamed")

    def test_a_load_takes_as_much_memory_as_a_piece(self):
        self.check("/copied")
        self.assertEqual(self.server.psql("SELECT count(*), sum(id) FROM copied"), "400000|79999800000")


class Notifications(Case):
    def test_a_listener_survives_a_restart_and_tells_of_the_gap(self):
        with Postgres() as server, bank("desk", "postgres", {"url": server.url}) as made:
            heard = Later(made, "/heard", "GET")
            made.wait_for_log("the desk listens")
            server.kill()
            server.restart()
            made.wait_for_log("the desk heard gap")
            server.psql("NOTIFY desk, 'good morning'")
            self.assertEqual(heard.get(), (200, "gap, good morning"))


class Settings(Case):
    """What cannot be is told before anything is opened."""

    def refused(self, settings, *words):
        with bank("desk", "postgres", settings, start=False) as made:
            made.start()
            self.assertEqual(made.wait(), REFUSED, made.log())
            for word in words:
                self.assertIn(word, made.log())
            return made.log()

    def test_what_is_wrong_with_a_url_is_named(self):
        for url, word in (("mysql://ann@127.0.0.1/shop", "postgresql://"),
                          ("postgresql://127.0.0.1/shop", "no user"),
                          ("postgresql://ann@127.0.0.1:99999/shop", "99999"),
                          ("postgresql://ann@127.0.0.1/shop?colour=red", "colour"),
                          ("postgresql://ann@a,b:1,2:2,3:3/shop?port=1,2", "ports"),
                          ("postgresql://ann@127.0.0.1/shop?service=x", "service"),
                          ("postgresql://ann@127.0.0.1/shop?passfile=/x", "passfile")):
            with self.subTest(url=url):
                self.refused({"url": url}, word)

    def test_a_service_of_the_environment_is_refused(self):
        with unittest.mock.patch.dict(os.environ, {"PGSERVICE": "elsewhere"}):
            self.refused({"url": "postgresql://ann@127.0.0.1/shop"}, "PGSERVICE")

    def test_certificate_and_key_belong_together(self):
        with Authority() as authority:
            self.refused({"url": "postgresql://ann@127.0.0.1/shop", "certificate": authority.certificate},
                         "`certificate` and `key`")
            self.refused({"url": "postgresql://ann@127.0.0.1/shop", "ca": authority.certificate,
                          "tls": "disable"}, "`tls` is `disable`")
        self.refused({"url": "postgresql://ann@127.0.0.1/shop", "tls": "disable",
                      "channel_binding": "require"}, "`channel_binding`")


if __name__ == "__main__":
    unittest.main()
