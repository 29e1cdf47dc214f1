# SPDX-License-Identifier: Apache-2.0
"""Random well-formed stacks, written twice: as libpam reads them and as keyturn does.

PAM's `auth` stands for our `read`, pam_debug.so for debug, `account` for `write`. Statuses are paired
one to one, in both directions.
"""

import copy
import os

# Not PAM_NEW_AUTHTOK_REQD, PAM_ABORT, PAM_CONV_AGAIN, PAM_INCOMPLETE, which libpam treats apart, nor
# config_error and module_error, which keyturn does.
PAM_OF = {
    "success": ("success", 0), "denied": ("perm_denied", 6), "ignore": ("ignore", 25),
    "not_found": ("user_unknown", 10), "unavailable": ("authinfo_unavail", 9),
    "throttled": ("maxtries", 11), "timeout": ("try_again", 24), "locked": ("auth_err", 7),
    "expired": ("cred_expired", 16), "not_yet": ("cred_unavail", 15), "disabled": ("acct_expired", 13),
    "corrupt": ("system_err", 4), "invalid": ("bad_item", 29), "unsupported": ("no_module_data", 18),
    "no_memory": ("buf_err", 5), "busy": ("authtok_lock_busy", 22), "exists": ("authtok_err", 20),
    "read_only": ("authtok_disable_aging", 23), "conflict": ("authtok_recover_err", 21),
    "too_large": ("service_err", 3), "no_space": ("session_err", 14), "cancelled": ("symbol_err", 2),
    "partial": ("open_err", 1),
}
STATUSES = list(PAM_OF)
OF_PAM = {code: status for status, (_, code) in PAM_OF.items()}

PAM_KEYWORDS = {
    "required": [("success", "ok"), ("ignore", "ignore"), ("default", "bad")],
    "requisite": [("success", "ok"), ("ignore", "ignore"), ("default", "die")],
    "sufficient": [("success", "done"), ("default", "ignore")],
    "optional": [("success", "ok"), ("default", "ignore")],
}
OUR_KEYWORDS = {  # D6: brackets to libpam
    "binding": [("success", "done"), ("ignore", "ignore"), ("default", "bad")],
    "fallback": [("success", "done")] + [(s, "ignore") for s in (
        "ignore", "not_found", "unavailable", "throttled", "timeout", "locked")] + [("default", "die")],
    "front": [("success", "done"), ("ignore", "ignore"), ("unavailable", "ignore"),
              ("timeout", "ignore"), ("default", "die")],
}
KEYWORDS = {**PAM_KEYWORDS, **OUR_KEYWORDS}
ACTIONS = ["ignore"] * 4 + ["ok"] * 4 + ["done"] * 2 + ["bad"] * 2 + ["die", "reset", "reset", "jump", "jump"]


class Line:
    """A line with a module. `pairs` wins over `word`; a jump is a number."""

    def __init__(self, rng):
        self.status = rng.choice(STATUSES) if rng.random() < 0.5 else rng.choice(
            ["success", "success", "success", "ignore", "not_found"])
        self.word = rng.choice(list(KEYWORDS)) if rng.random() < 0.45 else None
        self.pairs = None if self.word else bracket(rng, self.status)
        self.dash = rng.random() < 0.05
        self.absent = self.dash and rng.random() < 0.5  # D7: a module that is not installed
        if self.absent:
            self.status = "unavailable"
        self.noise = rng.getrandbits(32)
        self.at = None  # FILE:LINE of ours, known when written
        self.value = None


class Other:
    """A line of another facility: of no consequence."""

    def __init__(self, rng):
        self.status = rng.choice(STATUSES)
        self.noise = rng.getrandbits(32)


class Include:
    """`how`: include, substack, @include."""

    def __init__(self, how, file, rng):
        self.how, self.file, self.noise = how, file, rng.getrandbits(32)


class File:
    def __init__(self, name):
        self.name, self.nodes, self.end, self.done, self.plain = name, [], "\n", False, False


def bracket(rng, status):
    pairs = []
    for s in rng.sample(STATUSES, rng.choice((0, 1, 1, 2, 3, 5))) + ([status] if rng.random() < 0.7 else []):
        if s not in (p[0] for p in pairs):
            pairs.append((s, rng.choice(ACTIONS)))
    if not pairs or rng.random() < 0.7:
        pairs.append(("default", rng.choice(ACTIONS)))
    rng.shuffle(pairs)
    return [(s, rng.randint(1, 6) if a == "jump" else a) for s, a in pairs]


def service(rng, name):
    """A random service: its file, with all that it includes hanging on it."""
    made = []

    def fill(depth):
        file = File(name if depth == 0 else "%s-%d" % (name, len(made)))
        made.append(file)
        if depth == 0 and rng.random() < 0.002:
            return file
        for _ in range(rng.randint(1, 7) if depth == 0 else rng.choice((0, 1, 2, 2, 3, 4))):
            p = rng.random()
            if depth < 4 and p < 0.2:
                how = rng.choice(("include", "substack", "substack", "@include"))
                below = [f for f in made if f.done]
                again = rng.choice(below) if below and rng.random() < 0.1 else None
                file.nodes.append(Include(how, again or fill(depth + 1), rng))
            elif p < 0.24:
                file.nodes.append(Other(rng))
            else:
                file.nodes.append(Line(rng))
        file.end = rng.choice(("\n", "\n", "\n", "", "\n\n# the end\n", "\n  \t\n"))
        file.done = True
        return file

    root = fill(0)
    settle(root)
    return root


def flatten(file, level=0):
    """Lines and substack markers in order: (level, node)."""
    for node in file.nodes:
        if isinstance(node, Line):
            yield level, node
        elif isinstance(node, Include):
            if node.how == "substack":
                yield level, node
            yield from flatten(node.file, level + (node.how == "substack"))


def settle(root):
    """Make every jump land: an included file may stand in several places, the shortest way counts."""
    flat = list(flatten(root))
    for i, (level, node) in enumerate(flat):
        if not isinstance(node, Line) or node.pairs is None:
            continue
        room = 0
        for below, _ in flat[i + 1:]:
            if below < level:
                break
            room += below == level
        node.pairs = [(s, a if isinstance(a, str) else min(a, room) or "ignore") for s, a in node.pairs]


def files(file):
    """The file and those that it includes, each once."""
    seen = {}

    def walk(f):
        if f.name not in seen:
            seen[f.name] = f
            for node in f.nodes:
                if isinstance(node, Include):
                    walk(node.file)

    walk(file)
    return list(seen.values())


# ---- how they are written ----

class Plain:
    """A choice of the plainest."""

    @staticmethod
    def choice(ways):
        return ways[0]

    @staticmethod
    def random():
        return 1.0


PLAIN = Plain()


def gap(rng):
    return rng.choice((" ", " ", " ", "  ", "\t", " \t ", " \\\n", "\\\n", " \\\n\t", " \\ \n  "))


def control_text(pairs, rng, pam):
    def word(s):
        return PAM_OF[s][0] if pam and s != "default" else s

    equals = rng.choice(("=", "=", "=", " = ", "= ", " ="))
    inner = gap(rng).join("%s%s%s" % (word(s), equals, a) for s, a in pairs)
    return "[%s%s%s]" % (rng.choice(("", "", " ")), inner, rng.choice(("", "", " ")))


def node_text(node, rng, pam, pam_dir):
    facility = "auth" if pam else "read"
    if isinstance(node, Include):
        where = os.path.join(pam_dir, node.file.name) if pam else node.file.name
        return [node.how, where] if node.how == "@include" else [facility, node.how, where]
    if isinstance(node, Other):
        return (["account", "required", "pam_debug.so", "acct=" + PAM_OF[node.status][0]] if pam else
                ["write", "required", "debug", "put=" + node.status])
    if node.pairs is None and (not pam or node.word in PAM_KEYWORDS):
        control = node.word
    else:
        control = control_text(node.pairs or KEYWORDS[node.word], rng, pam)
    quote = "[%s]" if rng.random() < 0.1 else "%s"
    dash = "-" if node.dash else ""
    if pam:
        return [dash + facility, control, "pam_debug.so", quote % ("auth=" + PAM_OF[node.status][0])]
    if node.absent:
        return [dash + facility, control, "notinstalled", "max-stale=1h"]
    return [dash + facility, control, "debug", quote % ("get=" + node.status), "value=" + node.value]


def write(file, directory, pam, rng):
    """One file; ours also learns where each line stands."""
    text, line = "", 1
    for i, node in enumerate(file.nodes):
        rng.seed(node.noise)
        way = PLAIN if file.plain else rng
        before = way.choice(("", "", "", "", "\n", "# a comment\n", " \t# one \\ more [\n", " \t\n"))
        comment = way.choice(("", "", "", "", " # why", "\t#", " ", "\t\t"))
        blank = way.choice(("", "", "", "", " ", "\t", "  \t"))
        if isinstance(node, Line) and not pam:
            node.at = "%s:%d" % (file.name, line + before.count("\n"))
            node.value = "v-" + node.at.replace(":", "-")
        space = gap(way)
        body = space.join(node_text(node, way, pam, directory))
        whole = before + blank + body + comment + ("\n" if i + 1 < len(file.nodes) else file.end)
        line += whole.count("\n")
        text += whole
    # Not open(): with a hundred thousand files its comfort takes longer than libpam.
    out = os.open(os.path.join(directory, file.name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.write(out, (text if file.nodes else "# nothing\n").encode("ascii"))
    os.close(out)


def smaller(root):
    """Each way to leave one thing out, as a service of its own."""
    if not root.plain:
        less = copy.deepcopy(root)
        for file in files(less):
            file.plain, file.end = True, "\n"
        yield less
    for at, file in enumerate(files(root)):
        for i, node in enumerate(file.nodes):
            less = copy.deepcopy(root)
            del files(less)[at].nodes[i]
            settle(less)
            yield less
            for drop in range(len(node.pairs or ()) if isinstance(node, Line) else 0):
                less = copy.deepcopy(root)
                del files(less)[at].nodes[i].pairs[drop]
                if files(less)[at].nodes[i].pairs:
                    settle(less)
                    yield less
