"""Each file is within its limit, together they are not."""
with open("runtime.conf", "w") as file:
    file.write("a: {\n@include \"part.conf\"\n};\n" "b: {\n@include \"part.conf\"\n};\n")
    file.write("c: {\n@include \"part.conf\"\n};\n" "d: {\n@include \"part.conf\"\n};\n")
with open("part.conf", "w") as file:
    file.write(("#" * 1023 + "\n") * 1000)
