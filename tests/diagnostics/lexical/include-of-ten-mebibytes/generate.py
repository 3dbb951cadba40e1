"""The file is small, what it includes is not."""
with open("runtime.conf", "w") as file:
    file.write('@include "big.conf"\nworkers = two;\n')
with open("big.conf", "w") as file:
    file.write(("#" * 1023 + "\n") * (10 * 1024))
