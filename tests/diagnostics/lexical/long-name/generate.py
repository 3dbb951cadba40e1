"""Names of 255 and of 256 characters."""
with open("runtime.conf", "w") as file:
    file.write("a" * 255 + " = 1;\n" + "b" * 256 + " = 1;\n")
