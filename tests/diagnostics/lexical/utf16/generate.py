"""A file saved as UTF-16."""
with open("runtime.conf", "wb") as file:
    file.write('workers = 2;\n'.encode("utf-16-le").join([b"\xff\xfe", b""]))
