#!/usr/bin/env python3
"""The validator must refuse what is wrong: run with the virtual environment's python3."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
CASES = HERE.parent / "golden"


def validate(*paths):
    done = subprocess.run([sys.executable, HERE / "validate.py", *paths], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def golden(case, kind):
    return next((CASES / case / "expected").glob(f"*-{kind}-*.yaml")).read_text(encoding="utf-8")


class Validate(unittest.TestCase):
    def refused(self, text, expected):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "object.yaml"
            file.write_text(text, encoding="utf-8")
            status, output = validate(file)
        self.assertEqual(status, 1, output)
        self.assertIn(expected, output)

    def test_golden_files_are_valid(self):
        status, output = validate(CASES / "plan-free" / "expected", CASES / "route-http-route" / "expected")
        self.assertEqual(status, 0, output)
        self.assertRegex(output, r"^\d{2,} documents, 0 failures\n$")

    def test_mistakes_are_refused(self):
        stateful_set, route = golden("plan-free", "statefulset"), golden("route-http-route", "httproute")
        for text, before, after, expected in [
            (stateful_set, "readOnlyRootFilesystem", "readonlyRootFilesystem", "'readonlyRootFilesystem' was unexpected"),
            (stateful_set, "periodSeconds: 1\n", "periodSeconds: soon\n", '"soon" is not of types'),
            (stateful_set, "  serviceName:", "  serviceNames:", "'serviceNames' was unexpected"),
            (stateful_set, "kind: StatefulSet", "kind: StatefulSets", "has no apps/v1 StatefulSets"),
            (stateful_set, "spec:\n", "spec:\nspec:\n", "is there twice"),
            (route, "hostnames:", "hostname:", "'hostname' was unexpected"),
            (route, "PathPrefix", "Prefix", '"Prefix" is not one of'),
        ]:
            self.assertIn(before, text)
            with self.subTest(expected):
                self.refused(text.replace(before, after, 1), expected)

    def test_nothing_is_no_success(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(validate(folder)[0], 1)
        self.assertEqual(validate("/nonexistent.yaml")[0], 2)

    def test_a_bare_repository_is_read_at_its_head(self):
        with tempfile.TemporaryDirectory() as folder:
            work, bare = pathlib.Path(folder) / "work", pathlib.Path(folder) / "bare"
            (work / "shards/00").mkdir(parents=True)
            (work / ".coditect").mkdir()
            (work / ".coditect/state.yaml").write_text("a: 1\n", encoding="utf-8")
            (work / "shards/00/x.yaml").write_text(golden("plan-free", "namespace"), encoding="utf-8")
            git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com"]
            for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
                subprocess.run([*git, "-C", work, *command], check=True)
            subprocess.run([*git, "clone", "-q", "--bare", work, bare], check=True)
            status, output = validate(bare)
        self.assertEqual((status, output), (0, "1 documents, 0 failures\n"))


if __name__ == "__main__":
    unittest.main()
