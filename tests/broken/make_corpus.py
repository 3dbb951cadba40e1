"""Makes plugin files that are broken in one way each.

    python3 tests/broken/make_corpus.py FOLDER [--cc COMPILER] [--sdk INCLUDES] [--map VERSION_SCRIPT]

FOLDER/plugins gets the files that the host must refuse without loading them, `good.so`, and a few
that it must warn of; FOLDER/misbehaving gets those whose files are sound and that go wrong when they
are loaded. Each case's function is the whole description of what is wrong with it.
"""

import argparse
import os
import shutil
import subprocess

from image import (DT_GNU_HASH, DT_STRTAB, DT_SYMTAB, DT_VERNEED, PT_DYNAMIC, PT_GNU_STACK, PT_LOAD,
                   PT_NOTE, Image)

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
COMPILE = ["-std=gnu17", "-O2", "-fPIC", "-fvisibility=hidden", "-fstack-protector-strong"]
LINK = ["-shared", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack", "-Wl,--build-id",
        "-Wl,--exclude-libs,ALL"]
DEFS = "-Wl,-z,defs"
MISBEHAVIOURS = {"crashes": 1, "hangs": 2, "exits": 3, "writes": 4, "renames": 5, "fails": 6,
                 "faults": 7, "loops": 8, "undeclared": 9, "forgets": 10, "aborts": 11, "ends": 12}


class Builder:
    def __init__(self, folder, compiler, sdk, version_script):
        self.folder, self.compiler, self.sdk = folder, compiler, sdk
        self.version_script = version_script
        self.plugins = os.path.join(folder, "plugins")
        self.misbehaving = os.path.join(folder, "misbehaving")

    def cc(self, output, source, *arguments):
        command = [*self.compiler.split(), "-I", self.sdk, *COMPILE, "-o", output,
                   os.path.join(HERE, source), *arguments]
        subprocess.run(command, check=True, cwd=self.folder)

    def plugin(self, output, source, *arguments):
        self.cc(output, source, *LINK, f"-Wl,--version-script={self.version_script}", *arguments)

    def save(self, name, data):
        with open(os.path.join(self.plugins, name + ".so"), "wb") as file:
            file.write(data)


def read(path):
    with open(path, "rb") as file:
        return file.read()


# --- notes: each changes a copy of the list of notes, which are lists of `key=value` --------------

NOTES = {}


def note_case(function):
    NOTES[function.__name__.replace("_", "-")] = function
    return function


def note(notes, kind):
    return next(note for note in notes if note[0].startswith(kind + "="))


def replace(notes, kind, old, new):
    found = note(notes, kind)
    found[:] = [new if text.startswith(old) else text for text in found]


def option(name, kind, *attributes):
    return [f"option={name}", f"type={kind}", "help=Something", *attributes]


def provides(capability="email/1", tier="production", priority="100", methods="send:RT_WAITS,",
             *attributes):
    return [f"provides={capability}", f"tier={tier}", f"priority={priority}", f"methods={methods}",
            *attributes]


def simple(name, *added):
    """A case that only adds notes."""
    NOTES[name] = lambda notes: notes.extend(added)


simple("note-of-unknown-kind", ["serve=routes"])
simple("note-of-strange-kind", ["colour=blue"])
simple("second-module", ["module=other", "version=1", "summary=Another", "abi=1.0"])
simple("second-stack", ["stack=65536"], ["stack=131072"])
simple("required-twice", ["requires=clock/1", "methods=now:RT_IDEMPOTENT,"])
simple("required-and-optional", ["optional=clock/1", "methods=now:RT_IDEMPOTENT,"])
simple("provided-twice", provides(), provides())
simple("published-twice", *[["publishes=order.placed", "wire=orders.placed", "version=1"]] * 2)
simple("handled-twice", *[["handles=order.placed", "version=1"]] * 2)
simple("option-twice", option("limit", "int"))
simple("field-twice", option("tls", "group", "field=on", "type=bool", "help=On",
                             "field=on", "type=bool", "help=On"))
simple("capability-with-capitals", provides("Email/1"))
simple("capability-without-major", provides("email"))
simple("capability-with-major-zero", provides("email/0"))
simple("capability-with-a-constant-for-major", provides("email/EMAIL_MAJOR"))
simple("unknown-tier", provides(tier="prodution"))
simple("priority-of-words", provides(priority="high"))
simple("priority-beyond-32-bits", provides(priority="4294967296"))
simple("unknown-method-flag", provides(methods="send:RT_WAIT,"))
simple("method-twice", provides(methods="send:RT_WAITS,send:RT_WAITS,"))
simple("no-methods", provides(methods=""))
simple("method-with-a-bad-name", provides(methods="send mail:RT_WAITS,"))
simple("unknown-flag", ["requires=email/1", "methods=send:RT_WAITS,", "flag=rawer"])
simple("flag-twice", ["requires=email/1", "methods=send:RT_WAITS,", "flag=raw", "flag=raw"])
simple("serves-unknown", ["serves=routes, pages"])
simple("serves-nothing", ["serves="])
simple("needs-unknown", ["needs=execute, moonlight"])
simple("enabled-in-unknown", ["enabled-in=developement"])
simple("second-slice", ["slice=orders"], ["slice=users"],
       ["requires=sql/1", "methods=query:RT_WAITS,"])
simple("slice-without-a-database", ["slice=orders"])
simple("slice-of-an-optional-database", ["slice=orders"],
       ["optional=sql/1", "methods=query:RT_WAITS,"])
simple("slice-with-a-bad-name", ["slice=Orders!"], ["requires=sql/1", "methods=query:RT_WAITS,"])
simple("stack-too-small", ["stack=4096"])
simple("stack-of-a-constant", ["stack=STACK_SIZE"])
simple("topic-with-a-space", ["handles=order placed", "version=1"])
simple("event-of-version-zero", ["handles=order.placed", "version=0"])
simple("condition-on-no-option", ["development-only-when=path", "equals=:memory:"])
simple("condition-that-cannot-hold", ["development-only-when=depth", "equals=none"],
       option("depth", "int"))
simple("local-by-no-option", ["process-local-when=path", "equals=:memory:"])
simple("condition-on-a-list", ["development-only-when=names", "equals=all"],
       option("names", "list", "of=string"))
simple("condition-without-value", ["development-only-when=limit"])
simple("option-of-unknown-type", option("port", "integer"))
simple("option-with-a-dash", option("max-items", "int"))
simple("option-with-a-long-name", option("a" * 65, "int"))
simple("option-of-the-host", option("enabled", "bool"))
simple("option-with-unknown-key", option("port", "int", "defualt=1"))
simple("default-twice", option("port", "int", "default=1", "default=2"))
simple("default-not-an-integer", option("port", "int", "default=many"))
simple("default-without-unit", option("wait", "duration", "default=30"))
simple("default-with-unknown-unit", option("wait", "duration", 'default="30 parsecs"'))
simple("default-without-quotes", option("host", "string", "default=localhost"))
simple("default-not-a-word", option("mode", "enum", "values=plain, tls", 'default="ssl"'))
simple("default-of-required", option("port", "int", "default=1", "flag=required"))
simple("required-with-nothing", option("port", "int", "required-with=host"))
simple("required-twice-over", option("port", "int", "required-with=limit", "flag=required"))
simple("range-reversed", option("port", "int", "min=100", "max=1"))
simple("default-out-of-range", option("port", "int", "default=0", "min=1"),
       option("word", "string", 'default="Hello"', "max=4"),
       option("wait", "duration", 'default="2 h"', "max=1 h"),
       option("share", "float", "default=0.5", "min=0.0", "max=1.0"))
simple("range-of-a-bool", option("on", "bool", "min=0", "max=1"))
simple("range-of-words", option("port", "int", "min=low", "max=high"))
simple("values-of-a-string", option("mode", "string", "values=plain, tls"))
simple("word-twice", option("mode", "enum", "values=plain, plain"))
simple("enum-without-words", option("mode", "enum"))
simple("list-of-nothing", option("hosts", "list"))
simple("list-of-lists", option("hosts", "list", "of=list"))
simple("group-without-fields", option("tls", "group"))
simple("field-of-a-string", option("tls", "string", "field=on", "type=bool", "help=On"))
simple("field-that-is-a-group", option("tls", "group", "field=inner", "type=group", "help=In"))
simple("field-without-type", option("tls", "group", "field=on", "help=On"))
simple("int-to-be-readable", option("port", "int", "flag=read"))
simple("secret-that-is-none", option("key", "secret", "flag=not-secret"))
simple("note-with-a-newline", ["option=port", "type=int", "help=two\nlines"])
simple("note-with-an-escape", ["option=port", "type=int", "help=\x1b[2J gone"])
simple("note-with-a-c1-control", ["option=port", "type=int", "help=\x9b2J gone"])
simple("note-that-is-not-utf8", b"option=port\0type=int\0help=\xff\xfe\0")
simple("note-without-equals", ["option=port", "type=int", "required"])
simple("note-without-key", ["option=port", "=int"])
simple("note-without-nul", b"option=port\0type=int\0help=abc")
simple("note-without-text", b"")
simple("note-of-empty-texts", b"\0\0\0\0")
simple("hundreds-of-problems", *[["wrong=1"]] * 300)


@note_case
def module_with_a_bad_name(notes):
    replace(notes, "module", "module=", "module=9lives")


@note_case
def module_without_a_name(notes):
    replace(notes, "module", "module=", "module=")


@note_case
def module_without_version(notes):
    replace(notes, "module", "version=", "version=")


@note_case
def module_without_summary(notes):
    note(notes, "module")[:] = [text for text in note(notes, "module")
                                if not text.startswith("summary=")]


@note_case
def key_twice(notes):
    note(notes, "module").append("summary=Another")


@note_case
def key_of_another_kind(notes):
    note(notes, "module").append("min=1")


@note_case
def no_module_note(notes):
    notes.remove(note(notes, "module"))


@note_case
def other_abi(notes):
    replace(notes, "module", "abi=", "abi=2.0")


@note_case
def newer_abi(notes):
    replace(notes, "module", "abi=", "abi=1.65535")
    notes.append(["invented=later", "the-host=cannot know"])


@note_case
def abi_of_words(notes):
    replace(notes, "module", "abi=", "abi=one")


@note_case
def descriptor_of_another_name(notes):
    replace(notes, "module", "module=", "module=better")


@note_case
def descriptor_of_another_version(notes):
    replace(notes, "module", "version=", "version=2.0.0")


@note_case
def several_problems_at_once(notes):
    replace(notes, "module", "module=", "module=Good")
    notes.append(provides(tier="best", priority="high"))
    notes.append(option("port", "int", "default=many"))


# --- bytes: each changes an image of a good plugin ------------------------------------------------

BYTES = {}


def byte_case(function):
    BYTES[function.__name__.replace("_", "-")] = function
    return function


def cut(name, length):
    def change(image):
        del image.data[length:]
    BYTES[name] = change


def patch(name, form, offset, value):
    BYTES[name] = lambda image: image.put(form, offset, value)


cut("empty", 0)
cut("cut-in-the-magic", 3)
cut("cut-in-the-identity", 10)
cut("cut-in-the-header", 63)
cut("cut-after-the-header", 64)
cut("cut-in-the-program-headers", 200)
cut("cut-in-the-code", 4096)
patch("wrong-magic", "B", 1, ord("F"))
patch("of-32-bits", "B", 4, 1)
patch("of-an-unknown-class", "B", 4, 9)
patch("of-the-other-byte-order", "B", 5, 2)
patch("of-an-unknown-version", "B", 6, 7)
patch("of-type-executable", "H", 16, 2)
patch("of-type-core", "H", 16, 4)
patch("of-unknown-type", "H", 16, 0xFE00)
patch("for-another-machine", "H", 18, 8)
patch("for-an-unknown-machine", "H", 18, 0xBEEF)
patch("program-headers-beyond-the-end", "Q", 32, 1 << 40)
patch("program-headers-at-the-end-of-numbers", "Q", 32, (1 << 64) - 1)
patch("program-headers-of-another-size", "H", 54, 57)
patch("no-program-headers", "H", 56, 0)
patch("too-many-program-headers", "H", 56, 300)
patch("section-headers-beyond-the-end", "Q", 40, 1 << 40)
patch("section-headers-without-a-number", "H", 60, 0)


@byte_case
def text(image):
    image.data[:] = b"#!/bin/sh\necho this is no plugin\n"


@byte_case
def linker_script(image):
    image.data[:] = b"/* GNU ld script */\nINPUT ( libgood.so.1 )\n"


@byte_case
def zeros(image):
    image.data[:] = bytes(len(image.data))


@byte_case
def segment_beyond_the_end(image):
    image.put("Q", image.segments(PT_LOAD)[0] + 8, 1 << 50)


@byte_case
def segment_of_endless_size(image):
    image.put("Q", image.segments(PT_LOAD)[0] + 32, (1 << 64) - 1)


@byte_case
def segment_that_wraps_around(image):
    image.put("Q", image.segments(PT_LOAD)[0] + 40, (1 << 64) - 1)
    image.put("Q", image.segments(PT_LOAD)[0] + 16, 4096)


@byte_case
def notes_beyond_the_end(image):
    image.put("Q", image.segments(PT_NOTE)[0] + 8, len(image.data) - 8)


@byte_case
def notes_that_overlap(image):
    notes, other = image.segments(PT_NOTE)[0], image.segments(PT_GNU_STACK)[0]
    image.put("I", other, PT_NOTE)
    for field in (8, 32):
        image.put("Q", other + field, image.number("Q", notes + field))


@byte_case
def notes_of_zeros(image):
    start, size = image.notes_segment()
    image.data[start:start + size] = bytes(size)


@byte_case
def note_longer_than_its_segment(image):
    offset = next(offset for offset, owner, _, _ in image.raw_notes() if owner == b"RT\0")
    image.put("I", offset + 4, 0x7FFFFFFF)


@byte_case
def note_of_endless_length(image):
    offset = next(offset for offset, owner, _, _ in image.raw_notes() if owner == b"RT\0")
    image.put("I", offset + 4, 0xFFFFFFFF)


@byte_case
def note_with_an_endless_owner(image):
    image.put("I", image.raw_notes()[0][0], 0xFFFFFFFF)


@byte_case
def note_that_swallows_the_next(image):
    ours = [offset for offset, owner, _, _ in image.raw_notes() if owner == b"RT\0"]
    image.put("I", ours[0] + 4, image.number("I", ours[0] + 4) + 8)


@byte_case
def no_dynamic_section(image):
    image.put("I", image.segments(PT_DYNAMIC)[0], 0)


@byte_case
def strings_outside_the_file(image):
    image.put("Q", image.dynamic(DT_STRTAB), 1 << 40)


@byte_case
def needed_library_outside_the_strings(image):
    image.put("Q", image.dynamic(1), 1 << 30)


@byte_case
def symbols_outside_the_file(image):
    image.put("Q", image.dynamic(DT_SYMTAB), 1 << 40)


@byte_case
def hash_table_of_endless_size(image):
    image.put("I", image.offset_of(image.number("Q", image.dynamic(DT_GNU_HASH))), 0xFFFFFFFF)


@byte_case
def versions_outside_the_file(image):
    image.put("Q", image.dynamic(DT_VERNEED), 1 << 40)


@byte_case
def version_of_the_future(image):
    offset = image.find(b"\0GLIBC_2.") + 1
    end = image.data.index(b"\0", offset)
    image.data[offset:end] = b"GLIBC_9" + b"9" * (end - offset - 7)


@byte_case
def descriptor_without_magic(image):
    image.data[image.find(b"RMODULE1")] = ord("X")


@byte_case
def descriptor_larger_than_it_is(image):
    image.put("I", image.find(b"RMODULE1") + 8, 4096)


@byte_case
def descriptor_of_another_abi(image):
    image.put("H", image.find(b"RMODULE1") + 14, 7)


@byte_case
def executable_stack(image):
    image.put("I", image.segments(PT_GNU_STACK)[0] + 4, 7)


# --- what takes a compiler or a file system -------------------------------------------------------

def make_compiled(builder):
    def path(name):
        return os.path.join(builder.plugins, name + ".so")

    builder.plugin(path("notes-too-large"), "good.c", "-DMUCH_ROOM", DEFS)
    builder.cc(path("a-library"), "library.c", "-shared", "-fvisibility=default")
    builder.cc(path("an-object-file"), "good.c", "-c")
    builder.cc(path("a-program"), "program.c", "-pie")
    for name, case in (("no-registration", 1), ("descriptor-is-a-function", 2),
                       ("descriptor-too-short", 3), ("undefined-symbol", 4)):
        builder.plugin(path(name), "symbols.c", f"-DCASE={case}")
    builder.cc(path("no-descriptor"), "good.c", *LINK,
               f"-Wl,--version-script={HERE}/nothing.map", DEFS)
    builder.cc(path("exports-more"), "symbols.c", "-DCASE=6", *LINK, DEFS)
    neighbour = os.path.join(builder.folder, "libneighbour.so")
    builder.cc(neighbour, "library.c", "-shared", "-fvisibility=default",
               "-Wl,-soname,libneighbour.so")
    builder.plugin(path("missing-library"), "symbols.c", "-DCASE=5", neighbour, DEFS)
    library_folder = os.path.join(builder.plugins, "lib")
    os.mkdir(library_folder)
    shutil.move(neighbour, library_folder)
    builder.plugin(path("library-beside-it"), "symbols.c", "-DCASE=5",
                   os.path.join(library_folder, "libneighbour.so"), DEFS,
                   "-Wl,-rpath,$ORIGIN/lib")


def make_files(builder):
    def path(name):
        return os.path.join(builder.plugins, name + ".so")

    os.mkdir(path("folder"))
    os.mkfifo(path("pipe"))
    builder.save("too-large", b"")
    os.truncate(path("too-large"), (256 << 20) + 1)  # a hole: takes no room
    os.symlink("nowhere.so", path("link-to-nothing"))
    os.symlink("link-to-itself.so", path("link-to-itself"))
    os.symlink("link-there.so", path("link-back"))
    os.symlink("link-back.so", path("link-there"))
    os.symlink("good.so", path("link-to-good"))
    shutil.copy(path("good"), path("unreadable"))
    os.chmod(path("unreadable"), 0)


def make_corpus(folder, compiler="cc", sdk=f"{TOP}/sdk/include",
                version_script=f"{TOP}/sdk/rt-module.map"):
    folder = os.path.abspath(folder)
    shutil.rmtree(folder, ignore_errors=True)
    builder = Builder(folder, compiler, os.path.abspath(sdk), os.path.abspath(version_script))
    os.makedirs(builder.plugins)
    os.makedirs(builder.misbehaving)
    builder.plugin(os.path.join(builder.plugins, "good.so"), "good.c", DEFS)
    roomy = os.path.join(folder, "roomy.so")
    builder.plugin(roomy, "good.c", "-DROOM", DEFS)
    good, room = read(os.path.join(builder.plugins, "good.so")), Image(read(roomy))
    os.remove(roomy)
    room = room.set_notes(sorted(room.notes())).data  # compilers differ in the order
    for name, change in BYTES.items():
        image = Image(room if name.startswith("note") else good)
        change(image)
        builder.save(name, image.data)
    for name, change in NOTES.items():
        image = Image(room)
        notes = image.notes()
        change(notes)
        builder.save(name, image.set_notes(notes).data)
    make_compiled(builder)
    make_files(builder)
    for name, number in MISBEHAVIOURS.items():
        builder.plugin(os.path.join(builder.misbehaving, name + ".so"), "misbehave.c",
                       f"-DMISBEHAVE={number}", f'-DNAME="{name}"', DEFS)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--cc", default=os.environ.get("CC", "cc"))
    parser.add_argument("--sdk", default=f"{TOP}/sdk/include")
    parser.add_argument("--map", default=f"{TOP}/sdk/rt-module.map")
    arguments = parser.parse_args()
    make_corpus(arguments.folder, arguments.cc, arguments.sdk, arguments.map)


if __name__ == "__main__":
    main()
