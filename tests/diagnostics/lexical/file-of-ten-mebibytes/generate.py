"""Ten MiB that are well-formed all the same."""
with open("runtime.conf", "w") as file:
    file.write("workers = 2;\n")
    for _ in range(10 * 1024):
        file.write("#" * 1023 + "\n")
