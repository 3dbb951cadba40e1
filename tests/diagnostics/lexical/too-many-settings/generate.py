"""1,025 settings in one group, 1,026 in another."""
with open("runtime.conf", "w") as file:
    for group, count in (("fits", 1024), ("tenants", 1025), ("others", 1026)):
        file.write(group + ": {\n")
        file.write("".join("    t%d = %d;\n" % (i, i) for i in range(count)))
        file.write("};\n")
