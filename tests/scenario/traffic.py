"""Clients that keep asking while a test does something to rtd, and count what was not answered."""

import contextlib
import http.client
import threading

from deployment import LIMIT, wait_for


class Traffic:
    """Half of the clients keep their connection as long as they are let, the others take a new one
    for each request. What is refused, reset or cut short is in `lost`."""

    def __init__(self, port, path="/who", clients=4):
        self.port, self.path = port, path
        self.answered = 0
        self.answers = set()
        self.lost = []
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.ask, args=(index % 2 == 0,), daemon=True)
                        for index in range(clients)]

    def ask(self, keeps):
        connection = None
        while not self.over.is_set():
            connection = connection or http.client.HTTPConnection("127.0.0.1", self.port,
                                                                  timeout=LIMIT)
            try:
                connection.request("GET", self.path)
                response = connection.getresponse()
                answer = (response.status, response.read().decode())
                ends = response.will_close or not keeps
                self.note(answer)
            except (OSError, http.client.HTTPException) as error:
                self.note_lost(f"{'kept' if keeps else 'new'} connection: {error!r}")
                ends = True
            if ends:
                connection.close()
                connection = None
        if connection:
            connection.close()

    def note(self, answer):
        with self.lock:
            self.answered += 1
            self.answers.add(answer)

    def note_lost(self, what):
        with self.lock:
            self.lost.append(what)

    def wait_for_more(self, count=20):
        """Until so many more requests have been answered, in whatever time that takes."""
        goal = self.answered + count
        wait_for(lambda: self.answered >= goal or self.lost, f"{count} more answers")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.wait_for_more()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(AssertionError):
            self.wait_for_more()
        self.over.set()
        for thread in self.threads:
            thread.join(LIMIT)
