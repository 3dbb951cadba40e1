"""Writes files as a C source: one array each, and a table of them (devtools/assets.h).

    embed.py OUTPUT FILE...
"""

import hashlib
import os
import sys

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


def array(number, content):
    lines = []
    for start in range(0, len(content), 24):
        lines.append(",".join(str(byte) for byte in content[start:start + 24]))
    return f"static const unsigned char file_{number}[] = {{\n" + ",\n".join(lines) + "\n};\n"


def main(output, paths):
    arrays, rows = [], []
    for number, path in enumerate(paths):
        with open(path, "rb") as file:
            content = file.read()
        arrays.append(array(number, content))
        tag = hashlib.sha256(content).hexdigest()[:20]
        rows.append(f'    {{"{os.path.basename(path)}", "{TYPES[os.path.splitext(path)[1]]}", '
                    f'"\\"{tag}\\"", (const char *)file_{number}, sizeof file_{number}}},\n')
    with open(output, "w", encoding="utf-8") as file:
        file.write('#include "devtools/assets.h"\n\n' + "\n".join(arrays)
                   + "\nconst struct asset assets[] = {\n" + "".join(rows) + "};\n"
                   + f"const size_t asset_count = {len(rows)};\n")


main(sys.argv[1], sys.argv[2:])
