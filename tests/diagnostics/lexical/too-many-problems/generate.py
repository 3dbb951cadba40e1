"""A file in another format: a problem a line."""
with open("runtime.conf", "w") as file:
    file.write("".join("option%d yes\n" % i for i in range(1000)))
