"""A NUL byte in the second line, where the rest would look fine."""
with open("runtime.conf", "wb") as file:
    file.write(b'workers = 2;\nname = "a\0b";\nhttp: {\n')
