"""A line too long to be shown."""
with open("runtime.conf", "w") as file:
    file.write('text = "' + "x" * 2000 + '"; workers = two;\n')
