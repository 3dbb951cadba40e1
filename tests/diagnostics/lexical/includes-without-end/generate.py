"""Ten levels of ten includes each."""
for level in range(10):
    name = "runtime.conf" if level == 0 else "%d.conf" % level
    with open(name, "w") as file:
        file.write("a = (\n" if level == 0 else "")
        file.write(",\n".join(["\n@include \"%d.conf\"\n" % (level + 1)] * 10))
        file.write(");\n" if level == 0 else "")
with open("10.conf", "w") as file:
    file.write("1")
