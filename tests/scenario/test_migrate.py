"""Migrations of a module's slice: at a start, by rtctl, and what is refused."""

import concurrent.futures
import json
import os
import pwd
import re
import signal
import sqlite3
import subprocess
import unittest

from databases import Postgres
from deployment import (BUILD, RTCTL, TOP, Deployment, deployment_of, free_port, wait_for)

SQL_PLUGINS = os.path.join(BUILD, "plugins")
NAMES = ["create_notes", "add_stars", "by_stars"]
BEHIND, FAILED = 65, 69  # exit statuses of rtd


def build(made, name):
    """Deploys a build of the module `notes` in place of the one that is there."""
    target = os.path.join(made.plugins, "notes.so")
    if os.path.exists(target):
        os.unlink(target)
    made.add(name)
    os.rename(os.path.join(made.plugins, f"{name}.so"), target)


class Sqlite:
    """A file, as a database for one test."""

    module = "sqlite"

    def __init__(self, folder):
        self.path = os.path.join(folder, "data", "notes.db")
        os.makedirs(os.path.dirname(self.path))
        self.config = f'sqlite: {{ path = "{self.path}"; }};\n'

    def ask(self, statement):
        """Rows as lines with `|` between columns."""
        connection = sqlite3.connect(self.path, timeout=30)
        try:
            rows = connection.execute(statement).fetchall()
            connection.commit()
            return "\n".join("|".join(str(value) for value in row) for row in rows)
        finally:
            connection.close()


class Server:
    """A database of its own on a server that all tests share."""

    module = "postgres"
    running = None
    count = 0

    def __init__(self, _folder):
        Server.count += 1
        self.name = f"notes_{Server.count}"
        self.running.psql(f"CREATE DATABASE {self.name}")
        url = self.running.url.rsplit("/", 1)[0]
        self.config = f'postgres: {{ url = "{url}/{self.name}"; }};\n'

    def ask(self, statement):
        return self.running.run(
            self.running.program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", "-", owner=False,
            env={**self.running.client_environment(), "PGDATABASE": self.name}, stdin=None,
            input=statement).strip()


class Case(unittest.TestCase):
    """Each test has a deployment of `notes` over an empty database."""

    kind = None

    def deploy(self, name="notes", environment="development", more="", settings=""):
        made = Deployment()
        made.database = self.kind(made.folder)
        self.addCleanup(made.close)
        build(made, name)
        made.add(made.database.module, SQL_PLUGINS)
        self.configure(made, environment, more, settings)
        return made

    @staticmethod
    def configure(made, environment="development", more="", settings=""):
        log = 'log: { level = "info"; format = "pretty"; };\n'
        made.write(f'environment = "{environment}";\n{log}{made.database.config}{more}'
                   f'notes: {{ {settings} }};\nallow_root = true;\n')

    def migrate(self, made, *arguments):
        """Exit status, standard output and standard error."""
        outcome = subprocess.run([RTCTL, "migrate", *arguments, "--config", made.config], text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                                 stdin=subprocess.DEVNULL, env=made.environment(), check=False)
        for mark in ("Sanitizer", "runtime error:"):
            self.assertNotIn(mark, outcome.stdout + outcome.stderr)
        return outcome.returncode, outcome.stdout, outcome.stderr

    def expect(self, made, status, *arguments):
        got, out, err = self.migrate(made, *arguments)
        self.assertEqual(got, status, out + err)
        return out, err

    def applied(self, made):
        text = made.database.ask("SELECT number, name FROM rt_migrations ORDER BY number")
        return [line.split("|")[1] for line in text.splitlines()]

    def ready(self, made):
        """It serves, and is stopped again; what it logged."""
        with open(made.log_file, "w", encoding="utf-8"):
            pass
        made.start_ready()
        self.assertEqual(made.get("/notes"), (200, "1 notes"))
        self.assertEqual(made.stop(), 0, made.log())
        return made.log()

    def refused(self, made, status, *texts):
        """It ends by itself; the last line says why."""
        with open(made.log_file, "w", encoding="utf-8"):
            pass
        made.start()
        self.assertEqual(made.wait(), status, made.log())
        for text in texts:
            self.assertIn(text, made.last_line())


class Starts:
    def test_a_development_start_applies_what_is_missing_and_the_next_finds_it_done(self):
        made = self.deploy()
        log = self.ready(made)
        self.assertEqual(self.applied(made), NAMES)
        self.assertIn("migration 2 `add_stars` of slice `notes` applied in ", log)
        before = made.database.ask("SELECT * FROM rt_migrations")
        self.ready(made)
        self.assertEqual(made.database.ask("SELECT * FROM rt_migrations"), before)

    def test_production_refuses_what_is_behind_and_says_what_to_do(self):
        made = self.deploy(environment="production")
        self.refused(made, BEHIND, "[RT0715]", "module `notes` finds its database behind: slice "
                     "`notes` lacks 3 migrations: 1 `create_notes`, 2 `add_stars`, 3 `by_stars`",
                     "`rtctl migrate up --config …`")
        self.expect(made, 0, "up")
        self.ready(made)

    def test_production_applies_where_it_is_told_to(self):
        made = self.deploy(environment="production", settings='migrate = "auto";')
        self.ready(made)
        self.assertEqual(self.applied(made), NAMES)

    def test_development_refuses_where_it_is_told_to(self):
        made = self.deploy(settings='migrate = "check";')
        self.refused(made, BEHIND, "[RT0715]")

    def test_many_workers_of_two_rtd_apply_each_once(self):
        made = self.deploy(more="workers = 4;\n")
        other = Deployment()
        self.addCleanup(other.close)
        other.database = made.database
        build(other, "notes")
        other.add(made.database.module, SQL_PLUGINS)
        self.configure(other, more="workers = 4;\n")
        with deployment_of(made), deployment_of(other):
            made.start()
            other.start()
            for each in (made, other):
                wait_for(lambda each=each: "ready: " in each.log() or
                         each.process.poll() is not None, "ready")
                self.assertIsNone(each.process.poll(), each.log())
            self.assertEqual(self.applied(made), NAMES)
            told = made.log().count("applied in") + other.log().count("applied in")
            self.assertEqual(told, 3)

    def test_one_that_fails_stops_the_start_and_leaves_nothing_of_itself(self):
        made = self.deploy("notes-broken")
        self.refused(made, BEHIND, "[RT0717]", "migration 2 `add_stars` of slice `notes` failed",
                     "nowhere", "nothing of it stays")
        self.assertNotIn(", because ", made.last_line())
        self.assertEqual(self.applied(made), NAMES[:1])
        build(made, "notes")
        self.ready(made)
        self.assertEqual(self.applied(made), NAMES)

    def test_a_changed_one_is_refused_everywhere(self):
        made = self.deploy()
        self.expect(made, 0, "up")
        build(made, "notes-changed")
        self.refused(made, BEHIND, "[RT0716]", "migration 2 `add_stars` of slice `notes` is not the "
                     "one that was applied", "begin with an empty database")
        self.configure(made, "production", settings='migrate = "auto";')
        self.refused(made, BEHIND, "[RT0716]")

    def test_a_database_that_is_ahead_is_refused(self):
        made = self.deploy()
        self.expect(made, 0, "up")
        build(made, "notes-older")
        self.refused(made, BEHIND, "[RT0716]", "migration 3 `by_stars` of slice `notes` was applied, "
                     "but this build of the module does not have it")
        self.configure(made, "production")
        self.refused(made, BEHIND, "run the build that the database was migrated by")

    def test_a_worker_that_is_replaced_serves_on_though_the_database_went_ahead(self):
        made = self.deploy("notes-older", "production")
        self.expect(made, 0, "up")
        with deployment_of(made):
            made.start_ready()
            made.database.ask("INSERT INTO rt_migrations SELECT slice, 3, 'by_stars', '', applied_at, "
                              "0, '' FROM rt_migrations WHERE number = 1")
            status = json.loads(made.rtctl("status", "--json").stdout)
            os.kill(status["generations"][0]["workers"][0]["pid"], signal.SIGKILL)
            made.wait_for_log("serves again")
            self.assertEqual(made.get("/notes"), (200, "1 notes"))
            self.assertIn("was applied, but this build of the module does not have it", made.log())
            outcome = made.rtctl("reload", "--wait")
            self.assertEqual(outcome.returncode, BEHIND, outcome.stdout)
            self.assertIn("RT0716", outcome.stdout)
            self.assertEqual(made.get("/notes"), (200, "1 notes"))

    def test_tables_that_are_not_as_declared_are_all_told(self):
        made = self.deploy("notes-other")
        self.refused(made, BEHIND, "[RT0718]", "table `notes`, column `stars` is bigint there, and "
                     "declared as text", "table `notes`, column `stars` can be null there")
        made.database.ask("ALTER TABLE notes RENAME TO memos")
        build(made, "notes")
        self.refused(made, BEHIND, "[RT0718]", "table `notes` is missing")


class Commands:
    def test_status_tells_what_is_applied_and_what_is_missing(self):
        made = self.deploy()
        out, _ = self.expect(made, 1, "status")
        self.assertIn(f"slice notes of module notes, {self.kind.module}: 0 applied, 3 missing\n", out)
        self.assertRegex(out, r"(?m)^ +1 create_notes +missing$")
        self.expect(made, 0, "up", "--slice", "notes", "--to", "2")
        self.assertEqual(self.applied(made), NAMES[:2])
        out, _ = self.expect(made, 1)
        self.assertRegex(out, r"(?m)^ +2 add_stars +applied \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ in \d+ ms "
                         r"by rtctl@\S+$")
        self.expect(made, 0, "up")
        self.expect(made, 0, "status")

    def test_json_has_it_all(self):
        made = self.deploy()
        out, _ = self.expect(made, 1, "status", "--json")
        answer = json.loads(out)
        self.assertFalse(answer["complete"])
        self.assertEqual([one["status"] for one in answer["slices"][0]["migrations"]],
                         ["missing"] * 3)
        answer = json.loads(self.expect(made, 0, "up", "--json")[0])
        self.assertTrue(answer["complete"])
        self.assertEqual(answer["slices"][0]["slice"], "notes")
        self.assertEqual([(one["number"], one["name"], one["status"])
                          for one in answer["slices"][0]["migrations"]],
                         [(i + 1, name, "applied") for i, name in enumerate(NAMES)])
        self.assertEqual(answer["diagnostics"], [])

    def test_plan_prints_the_sql_and_changes_nothing(self):
        made = self.deploy()
        out, _ = self.expect(made, 0, "plan")
        self.assertIn("-- 1 create_notes, in a transaction\n-- What the tests keep.\n"
                      "CREATE TABLE notes (\n", out)
        self.expect(made, 1, "status")
        self.expect(made, 0, "up", "--slice", "notes", "--to", "1")
        answer = json.loads(self.expect(made, 0, "plan", "--json")[0])
        self.assertEqual([one.get("sql", "").split("\n")[0]
                          for one in answer["slices"][0]["migrations"]][:2],
                         ["", "ALTER TABLE notes ADD COLUMN stars bigint;"])

    def test_up_tells_each_and_then_that_nothing_is_left(self):
        made = self.deploy()
        out, _ = self.expect(made, 0, "up")
        self.assertEqual(
            [line.split(" applied in ")[0] for line in out.splitlines()],
            [f"slice notes: {i + 1} {name}" for i, name in enumerate(NAMES)])
        out, _ = self.expect(made, 0, "up")
        self.assertIn("3 applied, 0 missing", out)

    def test_up_stops_at_one_that_fails(self):
        made = self.deploy("notes-broken")
        out, err = self.expect(made, 1, "up")
        self.assertIn("slice notes: 1 create_notes applied in ", out)
        self.assertIn("error[RT0717]: the database of module `notes` cannot be brought up to date: "
                      "migration 2 `add_stars` of slice `notes` failed", err)
        self.assertEqual(self.applied(made), NAMES[:1])

    def test_several_up_at_once_apply_each_once(self):
        made = self.deploy()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(lambda _: self.migrate(made, "up"), range(4)))
        self.assertEqual([status for status, _, _ in outcomes], [0] * 4, outcomes)
        self.assertEqual(sum(out.count("applied in") for _, out, _ in outcomes), 3)
        self.assertEqual(self.applied(made), NAMES)

    def test_verify_looks_at_checksums_and_tables(self):
        made = self.deploy()
        _, err = self.expect(made, 1, "verify")
        self.assertIn("error[RT0715]", err)
        self.expect(made, 0, "up")
        self.expect(made, 0, "verify")
        made.database.ask("ALTER TABLE notes RENAME COLUMN stars TO points")
        _, err = self.expect(made, 1, "verify")
        self.assertIn("error[RT0718]: module `notes` declares tables unlike those of its database: "
                      "table `notes`, column `stars` is missing", err)
        build(made, "notes-changed")
        answer = json.loads(self.expect(made, 1, "verify", "--json")[0])
        self.assertEqual([one["id"] for one in answer["diagnostics"]], ["RT0716"])
        self.assertIn("changed", self.expect(made, 1, "status")[0])
        self.assertIn("error[RT0716]", self.expect(made, 1, "up")[1])

    def test_it_works_while_rtd_runs(self):
        made = self.deploy("notes-older")
        with deployment_of(made):
            made.start_ready()
            build(made, "notes")
            self.expect(made, 0, "up")
            self.assertEqual(made.get("/notes"), (200, "1 notes"))
            self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
            self.assertEqual(made.get("/notes"), (200, "1 notes"))

    def test_two_slices_of_one_database_count_for_themselves(self):
        made = self.deploy()
        made.add("notes-beside")
        self.expect(made, 0, "up", "--slice", "beside")
        self.assertEqual(self.applied(made), ["create_beside"])
        self.expect(made, 0, "up")
        self.assertEqual(made.database.ask("SELECT count(*) FROM rt_migrations"), "4")

    def test_mistakes_on_the_command_line_are_told(self):
        made = self.deploy()
        for arguments, text in ((("upp",), "unknown word `upp`, did you mean `up`?"),
                                (("up", "--to", "2"), "`--to` needs `--slice`"),
                                (("status", "--slice", "notes", "--to", "2"), "for `up` alone"),
                                (("up", "--slice", "notes", "--to", "two"), "not `two`"),
                                (("up", "--slice", "note"), "the slice `note`, did you mean `notes`?"),
                                (("up", "down"), "unexpected word `down`")):
            with self.subTest(arguments=arguments):
                out, err = self.expect(made, 2, *arguments)
                self.assertEqual(out, "")
                self.assertIn(text, err)


class Connect:
    def connect(self, made, *arguments):
        outcome = made.rtctl("validate", "--connect", "--json", *arguments)
        report = json.loads(outcome.stdout[outcome.stdout.index('{"config"'):])
        return outcome.returncode, {one["id"]: one["message"] for one in report["diagnostics"]}

    def test_it_starts_the_providers_and_looks_at_the_databases_without_changing_them(self):
        made = self.deploy()
        status, told = self.connect(made)
        self.assertEqual(status, 0, told)
        self.assertIn(f"provider `{self.kind.module}` can be used", told["RT0722"])
        self.assertIn("would migrate its database: slice `notes` lacks 3", told["RT0723"])
        self.assertIn("info[RT0723]: module `notes` would", made.rtctl("validate", "--connect").stdout)
        self.configure(made, "production")
        status, told = self.connect(made)
        self.assertEqual(status, 1)
        self.assertIn("lacks 3 migrations", told["RT0715"])
        self.expect(made, 0, "up")
        status, told = self.connect(made)
        self.assertEqual(status, 0, told)
        build(made, "notes-other")
        self.assertIn("column `stars`", self.connect(made)[1]["RT0718"])


class OnSqlite(Starts, Commands, Connect, Case):
    kind = Sqlite

    def test_what_is_in_memory_is_migrated_at_each_start(self):
        made = self.deploy()
        made.database.config = 'sqlite: { path = ":memory:"; };\n'
        self.configure(made)
        for _ in range(2):
            self.assertIn("migration 3 `by_stars` of slice `notes` applied", self.ready(made))

    def test_relative_paths_are_those_of_rtd(self):
        made = self.deploy()
        made.database.config = 'sqlite: { path = "data/notes.db"; };\n'
        self.configure(made)
        outcome = subprocess.run([RTCTL, "migrate", "up", "--config", "runtime.conf"],
                                 cwd=made.folder, env=made.environment(), check=False, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        self.assertEqual(outcome.returncode, 0, outcome.stdout)
        self.assertEqual(self.applied(made), NAMES)
        self.ready(made)

    def test_what_others_wrote_into_the_table_does_nothing_to_a_terminal(self):
        made = self.deploy()
        self.expect(made, 0, "up")
        made.database.ask("INSERT INTO rt_migrations SELECT slice, 9, char(27) || '[31mred', char(27), "
                          "applied_at, duration_ms, char(27) FROM rt_migrations WHERE number = 1")
        for action, status in (("status", 1), ("plan", 1), ("verify", 1), ("up", 1)):
            out, err = self.expect(made, status, action)
            self.assertIn("[31mred", out + err)
            self.assertNotIn("\x1b", out + err)

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_where_root_migrates_the_file_is_made_by_the_user_of_the_workers(self):
        nobody = pwd.getpwnam("nobody")
        made = self.deploy(environment="production", more='user = "nobody";\n')
        data = os.path.dirname(made.database.path)
        for path in (made.folder, made.temporary):
            os.chmod(path, 0o755)
        os.chown(data, nobody.pw_uid, nobody.pw_gid)
        self.expect(made, 0, "up")
        self.assertEqual({os.stat(os.path.join(data, name)).st_uid for name in os.listdir(data)},
                         {nobody.pw_uid})
        self.ready(made)
        for name in os.listdir(data):
            os.chown(os.path.join(data, name), 0, 0)
            os.chmod(os.path.join(data, name), 0o600)
        _, err = self.expect(made, 1, "status")
        self.assertRegex(err, r"error\[RT0135\]: `.*notes\.db`, .* cannot be written")


class OnPostgres(Starts, Commands, Connect, Case):
    kind = Server

    @classmethod
    def setUpClass(cls):
        Server.running = Postgres()
        cls.addClassCleanup(Server.running.close)
        Server.running.__enter__()

    def waits_in_the_slow_one(self, made):
        """The backend that sleeps in the fourth migration."""
        return made.database.ask("SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' "
                                 "AND pid <> pg_backend_pid() AND datname = current_database()")

    def test_one_that_is_killed_leaves_what_the_next_goes_on_from(self):
        made = self.deploy("notes-slow")
        command = subprocess.Popen([RTCTL, "migrate", "up", "--config", made.config],
                                   env=made.environment(), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        self.addCleanup(command.wait)
        self.addCleanup(command.kill)
        wait_for(lambda: self.waits_in_the_slow_one(made), "the fourth migration")
        command.kill()
        wait_for(lambda: not self.waits_in_the_slow_one(made), "the end of its statement")
        self.assertEqual(self.applied(made), NAMES)
        self.assertEqual(made.database.ask("SELECT to_regclass('slowly') IS NULL"), "t")
        build(made, "notes")
        self.ready(made)

    def test_a_connection_that_is_lost_rolls_back(self):
        made = self.deploy("notes-slow")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            running = pool.submit(self.migrate, made, "up")
            backend = wait_for(lambda: self.waits_in_the_slow_one(made), "the fourth migration")
            made.database.ask(f"SELECT pg_terminate_backend({backend})")
            status, _, err = running.result(120)
        self.assertEqual(status, 1)
        self.assertIn("error[RT0717]", err)
        self.assertIn("migration 4 `slowly` of slice `notes` failed", err)
        self.assertEqual(self.applied(made), NAMES)
        self.assertEqual(made.database.ask("SELECT to_regclass('slowly') IS NULL"), "t")

    def test_a_worker_that_is_killed_in_the_middle_leaves_what_the_next_goes_on_from(self):
        made = self.deploy("notes-slow")
        with deployment_of(made):
            made.start()
            wait_for(lambda: self.waits_in_the_slow_one(made), "the fourth migration")
            status = json.loads(made.rtctl("status", "--json").stdout)
            os.kill(status["generations"][0]["workers"][0]["pid"], signal.SIGKILL)
            self.assertEqual(made.wait(), FAILED, made.log())
        self.assertEqual(self.applied(made), NAMES)
        wait_for(lambda: not self.waits_in_the_slow_one(made) or made.database.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE "
            "'%pg_sleep(600)%' AND pid <> pg_backend_pid()"), "the end of its statement")

    def test_an_index_is_built_concurrently_while_others_wait_for_their_turn(self):
        made = self.deploy(more="workers = 4;\n")
        with deployment_of(made):
            made.start_ready()
            self.assertEqual(self.applied(made), NAMES)
            self.assertEqual(made.database.ask("SELECT indisvalid FROM pg_index WHERE indexrelid = "
                                               "'notes_by_stars'::regclass"), "t")

    def test_one_without_a_transaction_that_failed_is_run_again(self):
        made = self.deploy()
        self.expect(made, 0, "up", "--slice", "notes", "--to", "2")
        made.database.ask("CREATE INDEX notes_by_stars ON notes (title)")
        self.expect(made, 0, "up")
        self.assertIn("(stars)", made.database.ask(
            "SELECT pg_get_indexdef('notes_by_stars'::regclass)"))

    def test_a_server_that_is_not_there_is_told(self):
        made = self.deploy()
        made.database.config = (f'postgres: {{ url = "postgresql://postgres@127.0.0.1:{free_port()}'
                                '/nothing"; };\n')
        self.configure(made)
        for words in (("migrate", "up"), ("validate", "--connect")):
            outcome = made.rtctl(*words)
            self.assertEqual(outcome.returncode, 1, outcome.stdout)
            self.assertIn("error[RT0712]: module `postgres` failed to start: ", outcome.stdout)
            self.assertNotIn("Sanitizer", outcome.stdout)

    def test_columns_that_an_index_of_the_key_merely_includes_are_not_of_the_key(self):
        made = self.deploy()
        self.expect(made, 0, "up")
        made.database.ask("ALTER TABLE notes DROP CONSTRAINT notes_pkey, "
                          "ADD PRIMARY KEY (id) INCLUDE (title)")
        self.expect(made, 0, "verify")

    def test_one_that_may_not_make_tables_is_told_so(self):
        made = self.deploy()
        made.database.ask("CREATE ROLE reader LOGIN")
        made.database.config = made.database.config.replace("postgres@", "reader@")
        self.configure(made)
        _, err = self.expect(made, 1, "up")
        self.assertIn("permission denied", err)


class Embed(unittest.TestCase):
    """`rtctl embed`; unit/embed_test.c has what is refused, and why."""

    FOLDER = os.path.join(TOP, "tests", "plugins", "migrations")

    def setUp(self):
        self.made = Deployment()
        self.addCleanup(self.made.close)

    def embed(self, *arguments):
        return subprocess.run([RTCTL, "embed", *arguments], text=True, check=False, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def test_it_writes_what_the_build_of_plugins_uses(self):
        outcome = self.embed(self.FOLDER)
        self.assertEqual((outcome.returncode, outcome.stderr), (0, ""))
        with open(os.path.join(BUILD, "tests", "plugins", "notes_migrations.h"),
                  encoding="utf-8") as file:
            self.assertEqual(outcome.stdout, file.read())

    def test_what_it_was_made_of_is_told_to_make(self):
        header, told = self.made.path("a b.h"), self.made.path("told")
        outcome = self.embed(self.FOLDER + "/", "-o", header, "--depfile", told)
        self.assertEqual((outcome.returncode, outcome.stdout, outcome.stderr), (0, "", ""))
        with open(told, encoding="utf-8") as file:
            text = file.read()
        self.assertTrue(text.startswith(header.replace(" ", "\\ ") + f": {self.FOLDER} \\\n"))
        self.assertEqual(len(re.findall(r"(?m)\.sql( |$)", text)), len(os.listdir(self.FOLDER)))

    def test_problems_are_all_told_and_nothing_is_written(self):
        folder, header = self.made.path("migrations"), self.made.path("header.h")
        os.mkdir(folder)
        for name in ("0002_a.sql", "3_b.sql"):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write("SELECT 1;\n")
        outcome = self.embed(folder, "-o", header)
        self.assertEqual(outcome.returncode, 1)
        self.assertEqual(outcome.stderr.splitlines(), [
            f"rtctl embed: `{folder}/0002_a.sql` follows a gap: 0001 is missing",
            f"rtctl embed: `{folder}/3_b.sql` is not named like `0001_create_orders.sql`"])
        self.assertFalse(os.path.exists(header))

    def test_wrong_usage_and_places_that_cannot_be_written_are_told(self):
        for arguments in ((), ("-o", "x"), (self.FOLDER, "-o"), (self.FOLDER, "--nonsense"),
                          (self.FOLDER, "--depfile", "x")):
            with self.subTest(arguments=arguments):
                outcome = self.embed(*arguments)
                self.assertEqual((outcome.returncode, outcome.stdout), (2, ""))
                self.assertIn("usage: rtctl embed FOLDER [-o FILE]", outcome.stderr)
        outcome = self.embed(self.FOLDER, "-o", "/nowhere/x.h")
        self.assertEqual(outcome.returncode, 2)
        self.assertIn("cannot write `/nowhere/x.h`: it does not exist", outcome.stderr)


class Providers(unittest.TestCase):
    """What `validate --connect` says of providers that start."""

    def test_how_each_is_is_told(self):
        for mood, status, text in (
                ("unhealthy", 1, "error[RT0719]: provider `moody-provider` is unhealthy: no "
                 "connection"),
                ("degraded", 0, "warning[RT0721]: provider `moody-provider` is degraded: 1 of 2"),
                ("healthy", 0, "info[RT0722]: provider `moody-provider` can be used: it started, "
                 "and is healthy"),
                ("hanging", 1, "error[RT0719]: provider `moody-provider` is unhealthy: it did not end"),
                ("crash", 1, "error[RT0702]: module `moody-provider` crashed while asking for the "
                 "health of")):
            with self.subTest(mood=mood):
                made = Deployment(("front", "moody-provider"))
                self.addCleanup(made.close)
                made.write(f'moody-provider: {{ mood = "{mood}"; trace = "$TRACE"; }};\n'
                           'start_timeout = "2 s";\n')
                outcome = made.rtctl("validate", "--connect")
                self.assertEqual(outcome.returncode, status, outcome.stdout)
                self.assertIn(text, outcome.stdout)
                self.assertEqual(made.trace()[:1], ["starting moody-provider"])
                if mood != "crash":
                    self.assertEqual(made.trace()[-1], "stopping moody-provider")


class Refusals(unittest.TestCase):
    def test_two_modules_with_one_slice_in_one_database_are_refused(self):
        made = Deployment(("notes", "notes-rival"), "")
        self.addCleanup(made.close)
        made.add("postgres", SQL_PLUGINS)
        made.write('postgres: { url = "postgresql://nobody@127.0.0.1/none"; };\n')
        outcome = made.rtctl("validate")
        self.assertEqual(outcome.returncode, 1)
        self.assertIn("error[RT0325]: `notes` and `notes-rival` both have the slice `notes` in "
                      "`postgres`", outcome.stdout)
        made.write('postgres: { url = "postgresql://nobody@127.0.0.1/none"; };\n'
                   'second: { module = "postgres"; url = "postgresql://nobody@127.0.0.1/two"; };\n'
                   'notes-rival: { use = { sql = "second"; }; };\n')
        outcome = made.rtctl("validate")
        self.assertNotIn("RT0325", outcome.stdout)


if __name__ == "__main__":
    unittest.main()
