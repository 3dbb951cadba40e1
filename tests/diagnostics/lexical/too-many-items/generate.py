"""65,537 items in one array."""
with open("runtime.conf", "w") as file:
    file.write("numbers = [\n" + "1,\n" * 65536 + "1\n];\n")
