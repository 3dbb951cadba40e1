"""33 brackets in one another, and ten thousand."""
with open("runtime.conf", "w") as file:
    file.write("a = " + "(" * 32 + ")" * 32 + ";\n")
    file.write("b = " + "(" * 33 + ")" * 33 + ";\n")
    file.write("c = " + "(" * 10000 + ")" * 10000 + ";\n")
