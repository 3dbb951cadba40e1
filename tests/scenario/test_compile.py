"""What the SDK's macros let the compiler and the linker refuse, and what of a manifest survives them.

Everything is built against the installed tree, by gcc and by clang.
"""

import os
import struct
import subprocess
import tempfile
import unittest

PREFIX = os.environ.get("RT_RELEASE_PREFIX") or os.environ["RT_PREFIX"]
COMPILERS = ("gcc", "clang")
STRICT = ["-std=gnu17", "-fPIC", "-O2", "-g", "-Wall", "-Wextra", "-Wshadow", "-Wstrict-prototypes",
          "-Wmissing-prototypes", "-Wvla", "-Werror"]

HEAD = """
#include <rt/rt.h>
#include <rt/cap/clock.h>
#include <rt/cap/email.h>
RT_MODULE("sample", "1.2.3", "A module to compile")
RT_SERVES(routes)
RT_OPTION(string, from, RT_DEFAULT("shop@example.org"), "Sender")
RT_OPTION(int, max_items, RT_DEFAULT(100) RT_RANGE(1, 1000), "Most items")
RT_REQUIRES(clock, 1, RT_RAW)
"""
SEND = """
static int mail(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_email message = {.size = sizeof message, .from = RT_GET(ctx, from)};
    (void)request;
    RT_TRY(rt_email_send(ctx, email, &message, NULL));
    return rt_respond(ctx, response, 200, "text/plain", RT_STR("sent"));
}
RT_REGISTER(registry) { return rt_route(registry, RT_GET, "/mail", mail); }
"""
WHOLE = HEAD + "RT_REQUIRES(email, 1)\n" + SEND

MANIFEST = {
    ("module=sample", "version=1.2.3", "summary=A module to compile", "abi=1.3"),
    ("serves=routes",),
    ("option=from", "type=string", "help=Sender", 'default="shop@example.org"'),
    ("option=max_items", "type=int", "help=Most items", "default=100", "min=1", "max=1000"),
}


def sdk_flags(kind):
    environment = {**os.environ, "PKG_CONFIG_LIBDIR": f"{PREFIX}/lib/pkgconfig"}
    return subprocess.run(["pkg-config", kind, "rt-sdk"], check=True, text=True, env=environment,
                          stdout=subprocess.PIPE).stdout.split()


def notes(path):
    """The manifest's notes, found through PT_NOTE as the host finds them: a set of key=value tuples."""
    with open(path, "rb") as file:
        data = file.read()
    table, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    found = set()
    for index in range(count):
        kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", data, table + index * size)
        if kind != 4:
            continue
        at, end = offset, offset + length
        while at + 12 <= end:
            owner_size, text_size, note_type = struct.unpack_from("<III", data, at)
            owner = data[at + 12:at + 12 + owner_size]
            at += 12 + (owner_size + 3) // 4 * 4
            if owner == b"RT\0" and note_type == 1:
                lines = data[at:at + text_size].decode().split("\0")
                found.add(tuple(line for line in lines if line))
            at += (text_size + 3) // 4 * 4
    return found


class Compiling(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def build(self, compiler, *sources, extra=(), name="sample", strict=STRICT):
        """Compiles and links; returns (path, what the compiler said or None)."""
        files = []
        for number, source in enumerate(sources):
            files.append(f"{self.folder}/{name}{number}.c")
            with open(files[-1], "w", encoding="utf-8") as out:
                out.write(source)
        path = f"{self.folder}/{name}-{compiler}.so"
        # clang leaves the sanitizer's symbols to the program that loads the plugin.
        last = ["-Wl,-z,undefs"] if "-fsanitize=address" in extra else []
        done = subprocess.run(
            [compiler, *strict, *sdk_flags("--cflags"), *extra, "-shared", "-o", path, *files,
             *sdk_flags("--libs"), *last], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C"}, timeout=120)
        return path, done.stdout if done.returncode else None

    def built(self, compiler, *sources, **options):
        path, complaint = self.build(compiler, *sources, **options)
        self.assertIsNone(complaint)
        return path

    def refused(self, compiler, *sources, **options):
        _, complaint = self.build(compiler, *sources, **options)
        self.assertIsNotNone(complaint, f"{compiler} accepts it")
        return complaint


class Declarations(Compiling):
    def test_a_capability_that_is_declared_can_be_used(self):
        for compiler in COMPILERS:
            self.built(compiler, WHOLE)

    def test_a_capability_that_is_not_declared_does_not_compile_and_is_named(self):
        for compiler in COMPILERS:
            self.assertRegex(self.refused(compiler, HEAD + SEND), r"undeclared.*\bemail\b|\bemail\b.*undeclared")

    def test_another_file_of_the_module_uses_what_the_module_declared(self):
        other = '#include <rt/rt.h>\n#include <rt/cap/email.h>\nRT_USES(email)\n' \
                'int other(rt_ctx *ctx);\nint other(rt_ctx *ctx) { return rt_bound(ctx, email); }\n'
        for compiler in COMPILERS:
            self.built(compiler, WHOLE, other)
            without = HEAD + 'RT_REGISTER(registry) { (void)registry; return 0; }\n'
            self.assertIn("rt_slot_email", self.refused(compiler, without, other))

    def test_another_major_version_than_the_header_has_does_not_compile(self):
        for compiler in COMPILERS:
            complaint = self.refused(compiler, HEAD + "RT_REQUIRES(email, 2)\n" + SEND)
            self.assertIn("the header has another major version", complaint)

    def test_a_module_without_a_registration_function_does_not_link(self):
        for compiler in COMPILERS:
            self.assertIn("rt_register_module_", self.refused(compiler, HEAD))

    def test_an_undefined_symbol_does_not_link(self):
        source = WHOLE.replace("(void)request;", "extern int nowhere(void); (void)request; nowhere();")
        for compiler in COMPILERS:
            self.assertIn("nowhere", self.refused(compiler, source))

    def test_an_option_that_is_not_declared_does_not_compile_and_is_named(self):
        for compiler in COMPILERS:
            complaint = self.refused(compiler, WHOLE.replace("RT_GET(ctx, from)", "RT_GET(ctx, form)"))
            self.assertIn("rt_get_form", complaint)

    def test_a_method_of_the_wrong_type_does_not_compile(self):
        source = HEAD + 'RT_PROVIDES(email, 1, production, 10)\n' \
            'static int send(rt_ctx *ctx, int message) { (void)ctx; return message; }\n' \
            'RT_REGISTER(registry) { return rt_provide(registry, email, .send = send); }\n'
        for compiler in COMPILERS:
            self.assertIn("incompatible", self.refused(compiler, source))

    def test_every_header_of_the_sdk_compiles_by_itself(self):
        include = f"{PREFIX}/include"
        headers = [os.path.relpath(os.path.join(path, name), include)
                   for path, _, names in os.walk(include) for name in names]
        self.assertGreater(len(headers), 10)
        for compiler in COMPILERS:
            for header in headers:
                source = f"{self.folder}/header.c"
                with open(source, "w", encoding="utf-8") as out:
                    out.write(f"#include <{header}>\nextern int unit_is_not_empty;\n")
                done = subprocess.run([compiler, *STRICT, *sdk_flags("--cflags"), "-fsyntax-only",
                                       source], text=True, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, timeout=60)
                self.assertEqual(done.returncode, 0, f"{compiler} {header}:\n{done.stdout}")


class Exports(Compiling):
    def test_only_the_descriptor_is_exported_whatever_the_module_defines(self):
        source = WHOLE + "int helper(void);\n" \
            '__attribute__((visibility("default"))) int helper(void) { return 1; }\n'
        for compiler in COMPILERS:
            path = self.built(compiler, source)
            lines = subprocess.run(["nm", "-D", "--defined-only", path], check=True, text=True,
                                   stdout=subprocess.PIPE).stdout.splitlines()
            self.assertEqual([line.split()[-1] for line in lines], ["rt_module"])


TABLE = """
#include <rt/rt.h>
#include <rt/cap/sql.h>
RT_MODULE("sample", "1.2.3", "A module to compile")
RT_REQUIRES(sql, 1)
#define ORDER_COLUMNS(KEY, COLUMN) \\
    KEY(id, id, "ord") COLUMN(text, sku) COLUMN(int, quantity) COLUMN(bool, paid) \\
    COLUMN(double_or_null, weight) COLUMN(ref_or_null, customer, "cus") COLUMN(bytes, photo) \\
    COLUMN(created_at, created_at) COLUMN(deleted_at, deleted_at) COLUMN(version, version)
RT_TABLE(order, "orders", ORDER_COLUMNS)
RT_LOOKUP(order, by_sku, sku, quantity)
#define LINE_COLUMNS(KEY, COLUMN) KEY(ref, order_id, "ord") KEY(int, line) COLUMN(text, sku)
RT_TABLE(line, "order_lines", LINE_COLUMNS)
RT_LOOKUP_ALL(line, of_order, order_id)
int use(rt_ctx *ctx);
int use(rt_ctx *ctx)
{
    struct order order = {.sku = "tea", .quantity = 2};
    struct line line, *found[1];
    struct order_page page;
    RT_TRY(order_insert(ctx, sql, &order));
    RT_TRY(order_find(ctx, sql, order.id, &order));
    RT_TRY(line_find(ctx, sql, order.id, 1, &line));
    RT_TRY(line_find_many(ctx, sql, &(struct line_key){order.id, 1}, 1, found));
    RT_TRY(order_by_sku(ctx, sql, "tea", 2, &order));
    return order_page(ctx, sql, RT_SELECT(RT_WHERE(rt_is(order, quantity, RT_IN, 1, 2),
                                                   rt_is(order, sku, RT_PREFIX, "t")),
                                          RT_ORDER(rt_descending(order, created_at))), &page);
}
RT_REGISTER(registry) { (void)registry; return 0; }
"""


class Tables(Compiling):
    """Of TABLE, what is replaced, by what, and what the compiler has to say then."""

    WRONG = (
        ('.sku = "tea"', ".sku = 3", "sku|pointer"),
        (".quantity = 2}", '.quantity = "two"}', "int"),
        ("order_insert(ctx, sql, &order)", "order_insert(ctx, sql, &line)", "incompatible"),
        ("order_find(ctx, sql, order.id", "order_find(ctx, sql, 5", "pointer"),
        ("order.id, 1, &line", "order.id, order.id, &line", "int"),
        ("order.id, 1, &line", "order.id, &line", "too few|expected"),
        ("(ctx, sql, &(struct line_key){order.id, 1}", "(ctx, sql, &(struct order_key){order.id}", "incompatible"),
        ('"tea", 2, &order', '2, "tea", &order', "pointer"),
        ("RT_IN, 1, 2", 'RT_IN, 1, "two"', "int"),
        ("order, quantity, RT_IN", "order, quality, RT_IN", "quality"),
        ('RT_PREFIX, "t"', "RT_PREFIX, 1", "pointer"),
        ("order, created_at))", "order, made_at))", "made_at"),
        ("struct order_page page", "struct line_page page", "incompatible"),
        ("COLUMN(int, quantity)", "COLUMN(integer, quantity)", "integer|specifier"),
        ("COLUMN(int, quantity)", 'COLUMN(int, quantity, "qty")', "column `quantity`: a prefix is what `id`"),
        ('KEY(id, id, "ord")', "KEY(id, id)", "column `id`: a prefix is what `id`"),
        ("KEY(int, line)", "KEY(int_or_null, line)", "column `line` cannot be of a key"),
        ("KEY(int, line)", "KEY(json, line)", "column `line` cannot be of a key"),
        ('KEY(id, id, "ord") COLUMN', 'COLUMN(text, id) COLUMN', "orders has no key"),
        ('RT_TABLE(line', "RT_TABLE_WITH_SHADOW(line", "order_lines has two columns"),
    )

    def test_a_table_that_is_used_as_it_was_declared_compiles(self):
        for compiler in COMPILERS:
            self.built(compiler, TABLE)

    def test_a_wrong_type_does_not_compile(self):
        for before, after, complaint in self.WRONG:
            self.assertIn(before, TABLE)
            for compiler in COMPILERS:
                with self.subTest(compiler=compiler, after=after):
                    said = self.refused(compiler, TABLE.replace(before, after, 1))
                    self.assertRegex(said, complaint)

    def test_nor_does_it_where_an_author_asks_for_no_warnings(self):
        for before, after, complaint in self.WRONG:
            for compiler in COMPILERS:
                with self.subTest(compiler=compiler, after=after):
                    self.refused(compiler, TABLE.replace(before, after, 1), strict=["-fPIC", "-O2"])


class ManifestNotes(Compiling):
    VARIANTS = {
        "plain": [],
        "section garbage collection": ["-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections"],
        "link-time optimization": ["-flto"],
        "both": ["-flto", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections"],
        "without optimization": ["-O0", "-U_FORTIFY_SOURCE"],
        "address sanitizer": ["-fsanitize=address", "-U_FORTIFY_SOURCE"],
    }

    def variants(self):
        for compiler in COMPILERS:
            for name, flags in self.VARIANTS.items():
                extra = list(flags)
                if compiler == "clang" and "-flto" in flags:
                    extra.append("-fuse-ld=lld")
                yield f"{compiler}, {name}", compiler, extra

    def judge(self, path, variant):
        found = notes(path)
        for note in MANIFEST:
            self.assertIn(note, found, variant)
        kinds = sorted(note[0] for note in found if note[0].startswith("requires="))
        self.assertEqual(kinds, ["requires=clock/1", "requires=email/1"], variant)
        self.assertEqual(len(found), len(MANIFEST) + 2, variant)

    def test_the_manifest_survives_every_way_of_building(self):
        for variant, compiler, extra in self.variants():
            self.judge(self.built(compiler, WHOLE, extra=extra), variant)

    def test_the_manifest_survives_strip(self):
        for variant, compiler, extra in self.variants():
            path = self.built(compiler, WHOLE, extra=extra)
            for how in (["--strip-debug"], ["--strip-unneeded"], ["--strip-all"]):
                subprocess.run(["strip", *how, path], check=True)
                self.judge(path, f"{variant}, strip {how[0]}")

    def test_the_order_of_the_macros_means_nothing(self):
        turned = WHOLE.replace("RT_SERVES(routes)\n", "").replace(
            "RT_REQUIRES(email, 1)\n", "RT_REQUIRES(email, 1)\nRT_SERVES(routes)\n")
        for compiler in COMPILERS:
            self.assertEqual(notes(self.built(compiler, turned, name="turned")),
                             notes(self.built(compiler, WHOLE)))

    def test_rtctl_reads_what_survived(self):
        for compiler in COMPILERS:
            path = self.built(compiler, WHOLE, extra=["-ffunction-sections", "-Wl,--gc-sections"])
            subprocess.run(["strip", path], check=True)
            said = subprocess.run([f"{PREFIX}/bin/rtctl", "inspect", path], check=True, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
            for word in ("sample", "1.2.3", "max_items", "email/1", "clock/1"):
                self.assertIn(word, said)


if __name__ == "__main__":
    unittest.main()
