"""Nine levels of ten includes each: ten thousand million in all."""
for level in range(10):
    name = "runtime.conf" if level == 0 else "%d.conf" % level
    with open(name, "w") as file:
        file.write(("@include \"%d.conf\"\n" % (level + 1)) * 10)
with open("10.conf", "w") as file:
    file.write("# nothing\n")
