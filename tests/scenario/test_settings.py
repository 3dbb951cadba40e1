"""What a module reads of its settings in a running worker, through the SDK, from both its files."""

import http.client
import json
import unittest

from deployment import BUILD, deployment

CLOCK = f"{BUILD}/plugins"
EVERYTHING = """
reader: {
    text = "caf\u00e9 \\"x\\"";
    number = -9223372036854775808L;
    ratio = 0.125;
    flag = true;
    colour = "green";
    wait = "1500 ms";
    room = "3 MiB";
    page = "https://example.org/a?b=c";
    peer = "127.0.0.1:25";
    source = "data/file";
    password = "@env:READER_PASSWORD";
    words = [ "one", "", "three" ];
    rules = ( { path = "/a"; allow = false; }, { path = "/b"; } );
    limits: { most = 3; };
    tenants: { acme: { title = "Acme"; }; other: { title = "Other"; }; };
};
"""


class Settings(unittest.TestCase):
    def ask(self, config, environment=None, *arguments):
        with deployment(("reader",), config) as made:
            made.add("clock-system", CLOCK)
            made.start_ready(*arguments, environment=environment)
            connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=60)
            connection.request("GET", "/settings", headers={"User-Agent": "tests"})
            answer = connection.getresponse()
            self.assertEqual(answer.status, 200)
            told = json.loads(answer.read())
            connection.close()
            self.assertEqual(made.stop(), 0)
            return told, made.folder

    def test_every_type_is_read_as_the_header_says(self):
        told, folder = self.ask(EVERYTHING, {"READER_PASSWORD": "open sesame"})
        self.assertEqual(told, {
            "text": 'café "x"', "number": -2**63, "ratio": 0.125, "flag": True, "colour": "green",
            "wait": 1_500_000_000, "room": 3 << 20, "page": "https://example.org/a?b=c",
            "peer": "127.0.0.1:25", "source": f"{folder}/data/file", "password": "open sesame",
            "words": ["one", "", "three"],
            "rules": [["/a", False, None], ["/b", True, None]], "most": 3, "per": 1_000_000_000,
            "tenants": {"acme": "Acme", "other": "Other"}, "agent": "tests", "later": True})

    def test_what_is_unset_is_told_apart_from_zero(self):
        told, _ = self.ask("")
        self.assertEqual(told, {
            "text": None, "number": None, "ratio": None, "flag": None, "colour": None, "wait": None,
            "room": None, "page": None, "peer": None, "source": None, "password": None, "words": [],
            "rules": [], "most": None, "per": 1_000_000_000, "tenants": {}, "agent": "tests",
            "later": True})

    def test_the_environment_beats_the_file_and_set_beats_the_environment(self):
        config = 'reader: { text = "file"; number = 1; flag = false; };\n'
        told, _ = self.ask(config, {"RT_READER__TEXT": "variable", "RT_READER__NUMBER": "2"},
                           "--set", "reader.number=3", "--set", "reader.words=alone")
        self.assertEqual((told["text"], told["number"], told["flag"], told["words"]),
                         ("variable", 3, False, ["alone"]))


if __name__ == "__main__":
    unittest.main()
