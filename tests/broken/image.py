"""An ELF file of 64 bits, little endian, as bytes to spoil: finds what the cases of make_corpus.py
change. Knows just enough to edit a file that the linker wrote; it checks nothing."""

import struct

PT_LOAD, PT_DYNAMIC, PT_NOTE, PT_GNU_STACK = 1, 2, 4, 0x6474E551
DT_NULL, DT_NEEDED, DT_HASH, DT_STRTAB, DT_SYMTAB = 0, 1, 4, 5, 6
DT_GNU_HASH, DT_VERNEED = 0x6FFFFEF5, 0x6FFFFFFE
FILLER = b"FILL\0\0\0\0"


def padded(text):
    return text + b"\0" * (-len(text) % 4)


def note_bytes(owner, kind, text):
    return struct.pack("<III", len(owner), len(text), kind) + padded(owner) + padded(text)


class Image:
    def __init__(self, data):
        self.data = bytearray(data)

    def number(self, form, offset):
        return struct.unpack_from("<" + form, self.data, offset)[0]

    def put(self, form, offset, value):
        struct.pack_into("<" + form, self.data, offset, value)
        return self

    def segments(self, kind):
        """Offsets of the program headers of a kind."""
        start, count = self.number("Q", 32), self.number("H", 56)
        headers = [start + 56 * i for i in range(count)]
        return [header for header in headers if self.number("I", header) == kind]

    def offset_of(self, address):
        for header in self.segments(PT_LOAD):
            offset, start, size = (self.number("Q", header + field) for field in (8, 16, 32))
            if start <= address < start + size:
                return offset + address - start
        raise ValueError(f"no byte of the file is at {address:#x}")

    def dynamic(self, tag):
        """The offset of the value of a dynamic entry."""
        offset = self.number("Q", self.segments(PT_DYNAMIC)[0] + 8)
        while self.number("Q", offset) != tag:
            if self.number("Q", offset) == DT_NULL:
                raise ValueError(f"no dynamic entry {tag:#x}")
            offset += 16
        return offset + 8

    def notes_segment(self):
        """The segment with our notes: offset and size."""
        for header in self.segments(PT_NOTE):
            start, size = self.number("Q", header + 8), self.number("Q", header + 32)
            if b"module=" in self.data[start:start + size]:
                return start, size
        raise ValueError("no notes of ours")

    def raw_notes(self):
        """(offset, owner, kind, text) of each note beside ours, ours included."""
        offset, size = self.notes_segment()
        end, notes = offset + size, []
        while offset < end:
            owner_size, text_size, kind = struct.unpack_from("<III", self.data, offset)
            owner_end = offset + 12 + (owner_size + 3) // 4 * 4
            owner = bytes(self.data[offset + 12:offset + 12 + owner_size])
            notes.append((offset, owner, kind, bytes(self.data[owner_end:owner_end + text_size])))
            offset = owner_end + (text_size + 3) // 4 * 4
        return notes

    def notes(self):
        """Our notes, each a list of `key=value` texts."""
        return [text.rstrip(b"\0").decode().split("\0")
                for _, owner, _, text in self.raw_notes() if owner == b"RT\0"]

    def set_notes(self, notes):
        """Puts notes in the place of ours: lists of texts, or bytes as they are."""
        start, size = self.notes_segment()
        out = b"".join(note_bytes(owner, kind, text) for _, owner, kind, text in self.raw_notes()
                       if owner not in (b"RT\0", b"FILL\0"))
        for note in notes:
            text = note if isinstance(note, bytes) else ("\0".join(note) + "\0").encode()
            out += note_bytes(b"RT\0", 1, text)
        room = size - len(out) - 12 - len(FILLER)
        if room < 0:
            raise ValueError("these notes need more room than the plugin has")
        out += struct.pack("<III", 5, room, 1) + FILLER + b"\0" * room
        self.data[start:start + size] = out
        return self

    def find(self, text):
        offset = self.data.find(text)
        if offset < 0:
            raise ValueError(f"{text!r} is not in the file")
        return offset
