"""gdb commands for rtd's workers: which fibers there are, and where each of them is.

    (gdb) source /usr/share/rt/gdb/rt-gdb.py
    (gdb) info fibers
    (gdb) fiber 3 bt
    (gdb) fiber all bt

Works on a running worker and on a core file; rtd needs its symbols (it is built with -g).
"""

import gdb
import gdb.printing
from gdb.unwinder import Unwinder

# What jump_fcontext leaves on the stack of a fiber that waits, from the pointer that it returns:
# control words, registers, and where it goes on.
SAVED = {
    "i386:x86-64": {"at": {"r12": 0x08, "r13": 0x10, "r14": 0x18, "r15": 0x20, "rbx": 0x28,
                           "rbp": 0x30, "rip": 0x38},
                    "pc": "rip", "sp": "rsp", "size": 0x40},
    "aarch64": {"at": {"x19": 0x40, "x20": 0x48, "x21": 0x50, "x22": 0x58, "x23": 0x60,
                       "x24": 0x68, "x25": 0x70, "x26": 0x78, "x27": 0x80, "x28": 0x88,
                       "x29": 0x90, "x30": 0x98, "pc": 0xa0},
                "pc": "pc", "sp": "sp", "size": 0xb0},
}


def text_of(pointer):
    """A C string, or `?` if it is NULL or cannot be read."""
    try:
        return pointer.string(errors="replace") if pointer else "?"
    except gdb.MemoryError:
        return "?"


def linked(head, kind, member):
    """The objects of `kind` whose `member` is in the ring of `head`."""
    offset = int(gdb.parse_and_eval(f"(unsigned long)&(({kind} *)0)->{member}"))
    pointer = gdb.lookup_type(kind.replace("struct ", "")).pointer()
    link = head["next"]
    while link and int(link) != int(head.address):
        yield gdb.Value(int(link) - offset).cast(pointer)
        link = link["next"]


def units():
    """All units of work, children after their parents."""
    loop = gdb.parse_and_eval("rt_the_loop")
    if not loop["open"]:
        return
    left = list(linked(loop["roots"], "rt_unit", "sibling"))
    while left:
        unit = left.pop(0)
        yield unit
        left[:0] = linked(unit["children"], "rt_unit", "sibling")


def running():
    """The unit that runs in this thread; 0 if none does."""
    try:
        return int(gdb.parse_and_eval("rt_current_unit"))
    except gdb.error:  # a core file may not say where the thread's variables are
        return 0


def state(unit):
    if int(unit) == running():
        return "runs"
    if not unit["waiter"]:
        return "ready"
    waiter = unit["waiter"]
    number = int(waiter["number"])
    return text_of(waiter["what"]) + (f" {number}" if number else "")


class InfoFibers(gdb.Command):
    """List the fibers: number, name, instance, what each waits for, and the stack in use."""

    def __init__(self):
        super().__init__("info fibers", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        count = 0
        for count, unit in enumerate(units(), 1):
            instance = unit["home"]
            top = int(unit["stack"]["low"]) + int(unit["stack"]["size"])
            used = "" if int(unit) == running() else f"{top - int(unit['here'])} bytes of stack"
            print(f"{count:4}  {text_of(unit['name']):28} "
                  f"{text_of(instance['name']) if instance else '?':16} {state(unit):18} {used}")
        if count == 0:
            print("no fibers: the loop is not open, or nothing runs")


class FiberUnwinder(Unwinder):
    """While it is chosen, the innermost frame was called by the fiber's."""

    def __init__(self):
        super().__init__("rt-fiber")
        self.context = None

    def __call__(self, pending):
        if self.context is None or pending.level() != 0:
            return None
        layout = SAVED[pending.architecture().name()]
        word = gdb.lookup_type("unsigned long")
        name_sp, name_pc = layout["sp"], layout["pc"]

        class Frame:
            sp = pending.read_register(name_sp)
            pc = pending.read_register(name_pc)

        unwound = pending.create_unwind_info(Frame)
        for register, offset in layout["at"].items():
            place = gdb.Value(self.context + offset).cast(word.pointer())
            unwound.add_saved_register(register, place.dereference())
        unwound.add_saved_register(name_sp, gdb.Value(self.context + layout["size"]).cast(word))
        return unwound


class Fiber(gdb.Command):
    """fiber NUMBER|all COMMAND: run a command (such as `bt`) as if the fiber were running.

The first frame is that of the thread itself; those of the fiber come after it."""

    def __init__(self, unwinder):
        super().__init__("fiber", gdb.COMMAND_STACK)
        self.unwinder = unwinder

    def look(self, unit, command):
        try:
            self.unwinder.context = None if int(unit) == running() else int(unit["here"])
            gdb.invalidate_cached_frames()
            gdb.execute(command)
        finally:
            self.unwinder.context = None
            gdb.invalidate_cached_frames()

    def invoke(self, argument, from_tty):
        number, _, command = argument.partition(" ")
        for count, unit in enumerate(units(), 1):
            if number not in ("all", str(count)):
                continue
            print(f"fiber {count}: {text_of(unit['name'])}, {state(unit)}")
            self.look(unit, command or "bt")


class StrPrinter:
    """rt_str as the text that it is."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        length = int(self.value["length"])
        if not self.value["data"]:
            return '""'
        return self.value["data"].string(length=min(length, 200), errors="replace")

    def display_hint(self):
        return "string"


class ContextPrinter:
    """rt_ctx by whose and what it is."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        if not self.value.address or int(self.value["magic"]) == 0:
            return "rt_ctx (ended)"
        unit = self.value.address.cast(gdb.lookup_type("rt_unit").pointer())
        instance = self.value["instance"]
        return (f"rt_ctx of `{text_of(instance['name']) if instance else '?'}`, "
                f"`{text_of(unit['name'])}`, {state(unit)}")


def printers():
    collection = gdb.printing.RegexpCollectionPrettyPrinter("rt")
    collection.add_printer("rt_str", "^rt_str$", StrPrinter)
    collection.add_printer("rt_ctx", "^rt_ctx$", ContextPrinter)
    return collection


UNWINDER = FiberUnwinder()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)
gdb.printing.register_pretty_printer(None, printers(), replace=True)
InfoFibers()
Fiber(UNWINDER)
