#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pamdiff.py ORACLE PAM_DEBUG SUBJECT MODULES STATUS_H

Random stacks: libpam, keyturn and a model must agree.

Prints TAP. KEYTURN_PAMDIFF_COUNT stacks (20000) from KEYTURN_PAMDIFF_SEED (printed);
KEYTURN_PAMDIFF_BREAK=1 turns one rule of the model round, to see the test fail.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import model
import stacks

BATCH = 1000
MEMORY = "/dev/shm"  # a hundred thousand small files: on a disk they take longer than all the rest
SHOWN = 3


class Bench:
    """The two programs and the directories that they read."""

    def __init__(self, oracle, subject, scratch):
        self.scratch = scratch
        self.commands = {True: oracle, False: subject}

    def ask(self, roots):
        """{service: (libpam's code as a number or text, keyturn's fields)}"""
        rng = random.Random()
        said = {}
        for pam in (True, False):
            directory = os.path.join(self.scratch, "pam" if pam else "own")
            shutil.rmtree(directory, ignore_errors=True)
            os.mkdir(directory, 0o755)
            for root in roots:
                for file in stacks.files(root):
                    stacks.write(file, directory, pam, rng)
            if pam:  # libpam turns to it for a service without lines
                with open(os.path.join(directory, "other"), "w", encoding="ascii") as out:
                    out.write("# nothing\n")
            said[pam] = self.start(directory, pam, roots)
        answers = [self.end(*said[pam]) for pam in (True, False)]
        pam = {line.split(" ")[0]: line.split(" ", 1)[1] for line in answers[0]}
        own = {line.split("\t")[0]: line.split("\t")[1:] for line in answers[1]}
        return {r.name: (pam.get(r.name, "nothing"), own.get(r.name, ["nothing"])) for r in roots}

    def start(self, directory, pam, roots):
        names, out = (open(directory + end, "w+", encoding="utf-8") for end in (".names", ".said"))
        names.write("".join(root.name + "\n" for root in roots))
        names.flush()
        names.seek(0)
        return subprocess.Popen(self.commands[pam] + [directory], stdin=names, stdout=out), names, out

    @staticmethod
    def end(process, names, out):
        code = process.wait()
        names.close()
        out.seek(0)
        lines = out.read().splitlines()
        out.close()
        if code != 0:
            print("# %s ended with %d" % (process.args[0], code))
        return lines


def steps_said(fields):
    """Steps of lines that had their turn, as the model tells them."""
    steps = []
    for text in fields[5:]:
        at, level, module, raw, status, action, impression, state = text.split(",")
        if module != "-" and (raw != "-" or module == "notinstalled"):
            steps.append((at, level, status, action, impression, state))
    return steps


def differences(answer, pam, own):
    """What is wrong with these answers: (kind, words) each; kinds: get, value, trace, model."""
    wrong = []
    pam_status = stacks.OF_PAM.get(int(pam)) if pam.isdigit() else None
    if pam_status != answer.pam:
        wrong.append(("model", "libpam gave %s, the model expects %s of it" % (pam, answer.pam)))
    if len(own) < 5:
        wrong.append(("get", "keyturn says: " + " ".join(own)))
        return wrong
    status, value, at, module, traced = own[:5]
    if answer.own:
        if pam not in ("6", "25") or status != answer.ours:
            wrong.append(("get", "undecided: libpam gave %s, keyturn %s, D1 is %s" % (
                pam, status, answer.ours)))
    elif status != pam_status:
        wrong.append(("get", "libpam gave %s (%s), keyturn %s" % (pam, pam_status, status)))
    said = (value, at, module)
    line = answer.granter
    want = (line.value, line.at, "debug") if status == "success" and line else ("-", "-", "-")
    if said != want:
        wrong.append(("value", "keyturn gave %s of %s (%s), the first granter's is %s of %s (%s)" % (
            said + want)))
    if traced != status:
        wrong.append(("trace", "get gave %s, explain %s" % (status, traced)))
    steps = steps_said(own)
    if steps and steps[-1][5] != status:
        wrong.append(("trace", "get gave %s, explain's last state is %s" % (status, steps[-1][5])))
    if steps != answer.steps:
        wrong.append(("trace", "explain: %s\n  model: %s" % (steps, answer.steps)))
    return wrong


def shrink(bench, root, judge):
    """The smallest service with a difference of the same kind."""
    kinds = {kind for kind, _ in judge(root, *bench.ask([root])[root.name])}
    again = True
    while again:
        again = False
        for less in stacks.smaller(root):
            if kinds & {kind for kind, _ in judge(less, *bench.ask([less])[less.name])}:
                root, again = less, True
                break
    return root


def show(bench, root, judge):
    pam, own = bench.ask([root])[root.name]
    for _, words in judge(root, pam, own):
        print("# " + words.replace("\n", "\n# "))
    for directory in ("pam", "own"):
        for file in stacks.files(root):
            with open(os.path.join(bench.scratch, directory, file.name), encoding="ascii") as text:
                print("#   %s/%s:" % (directory, file.name))
                print("".join("#     %s\n" % line for line in text.read().splitlines()), end="")


def main():
    oracle, pam_debug, subject, modules, header = sys.argv[1:]
    count = int(os.environ.get("KEYTURN_PAMDIFF_COUNT", "20000"))
    seed = int(os.environ.get("KEYTURN_PAMDIFF_SEED", time.time_ns() % 1000000007))
    wrong = model.BREAKS[0] if os.environ.get("KEYTURN_PAMDIFF_BREAK") else None
    with open(header, encoding="utf-8") as text:
        tell = {name: int(rank) for name, rank in re.findall(r'X\(\w+, \d+, "(\w+)", (\d+),', text.read())}

    rng = random.Random(seed)
    failing, noticed = [], set()
    tally = {"own": 0, "granted": 0, "nested": 0}

    def judge(root, pam, own):
        return differences(model.run(root, tell, wrong), pam, own)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    room = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else os.environ.get("TESTTMP")
    with tempfile.TemporaryDirectory(prefix="keyturn-pamdiff-", dir=room) as scratch:
        os.chmod(scratch, 0o755)
        bench = Bench([oracle, pam_debug], [subject, modules], scratch)
        for first in range(0, count, BATCH):
            roots = [stacks.service(rng, "s%d" % i) for i in range(first, min(first + BATCH, count))]
            said = bench.ask(roots)
            agreed = []
            for root in roots:
                answer = model.run(root, tell, wrong)
                tally["own"] += answer.own
                tally["granted"] += answer.granter is not None
                tally["nested"] += len(stacks.files(root)) > 1
                if differences(answer, *said[root.name]):
                    failing.append(root)
                else:
                    agreed.append(root)
            for rule in model.BREAKS:
                if rule not in noticed and any(
                        differences(model.run(root, tell, rule), *said[root.name]) for root in agreed):
                    noticed.add(rule)

        print("1..%d" % (2 + len(model.BREAKS)))
        print("# seed %d: %d stacks, %d with includes, %d granted, %d left to D1 and D2" % (
            seed, count, tally["nested"], tally["granted"], tally["own"]))
        good = not failing and count > 0
        print("%s 1 - %d stacks: libpam, keyturn and the model agree but for D1 to D8" % (
            "ok" if good else "not ok", count))
        for root in failing[:SHOWN]:
            show(bench, shrink(bench, root, judge), judge)
        if failing:
            print("# %d stacks differ: KEYTURN_PAMDIFF_SEED=%d" % (len(failing), seed))
        fair = all(n >= count // 20 for n in tally.values())
        print("%s 2 - the stacks are of all sorts" % ("ok" if fair else "not ok"))
        for i, rule in enumerate(model.BREAKS):
            good &= rule in noticed
            print("%s %d - noticed: %s" % ("ok" if rule in noticed else "not ok", i + 3, rule))
    return 0 if good and fair else 1


if __name__ == "__main__":
    sys.exit(main())
