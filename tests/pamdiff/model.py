# SPDX-License-Identifier: Apache-2.0
"""A third opinion: what libpam and keyturn ought to answer, from the stack's text alone.

Source: Linux-PAM 1.5.2, libpam/pam_dispatch.c; DESIGN's D1 and D2 for what is ours.
"""

from stacks import KEYWORDS, STATUSES, Line, flatten

# One rule turned round each: a test that does not notice is no test.
BREAKS = (
    "done ends the level though the stack is refused",
    "die goes on",
    "the last failure counts",
    "reset goes back to the start",
    "reset forgets where a substack of substacks began",
    "a jump counts lines",
    "done and die end all levels",
    "a later ok replaces an agreed failure",
    "bad lets ignore through",
    "the first failure is the most telling",
    "ignore reaches the caller",
    "the last granter's value counts",
    "a refused success is one",
    "default overrules",
    "what is not said is ignored",
)


class Answer:
    """pam: libpam's, as our status; ours: keyturn's; own: decided by D1 or D2; granter: a Line."""

    def __init__(self, pam, ours, own, granter, steps):
        self.pam, self.ours, self.own, self.granter, self.steps = pam, ours, own, granter, steps


def table(node, wrong):
    actions = {}
    for status, action in node.pairs or KEYWORDS[node.word]:
        if status != "default":
            actions[status] = action
            continue
        for s in STATUSES:
            if wrong == "default overrules":
                actions[s] = action
            else:
                actions.setdefault(s, action)
    for s in STATUSES:
        actions.setdefault(s, "ignore" if wrong == "what is not said is ignored" else "bad")
    return actions


def run(root, tell, wrong=None):
    """The answer to a service; `tell` ranks failures, `wrong` is one of BREAKS."""
    flat = list(flatten(root))
    start = ("undecided", "denied", None)  # impression, status, granter
    now, save, level, i = start, {0: start}, 0, 0
    seen, steps = [], []

    def final():
        """A refusal of a success is no success."""
        fails = now[1] == "success" and now[0] != "granted" and wrong != "a refused success is one"
        return "denied" if fails else now[1]

    def answer():
        if now[0] != "undecided" and (now[1] != "ignore" or wrong == "ignore reaches the caller"):
            return final()
        if wrong == "the first failure is the most telling":
            return seen[0] if seen else "unsupported"
        return max(seen, key=tell.get) if seen else "unsupported"

    def refuse(status):
        if now[0] == "refused" and wrong != "the last failure counts":
            return now
        if status == "ignore" and wrong != "bad lets ignore through":
            status = "denied"
        return ("refused", status, None)

    def agree(status):
        nowhere = now[0] == "undecided"
        if not nowhere and (now[0] == "refused" or now[1] != "success"):
            if now[0] == "refused" or wrong != "a later ok replaces an agreed failure":
                return now
        granter = now[2]
        if status == "success" and (granter is None or wrong == "the last granter's value counts"):
            granter = node
        return ("granted", status, granter)

    def leave(i, here):
        if wrong == "done and die end all levels":
            return len(flat)
        while i < len(flat) and flat[i][0] >= here:
            i += 1
        return i

    while i < len(flat):
        here, node = flat[i]
        marker = not isinstance(node, Line)
        if level < here and not (marker and wrong == "reset forgets where a substack of substacks began"):
            save[here] = now
        level, i = here, i + 1
        if marker:
            continue
        action = table(node, wrong)[node.status]
        if node.status not in ("success", "ignore"):
            seen.append(node.status)
        if action in ("ok", "done"):
            now = agree(node.status)
            ends = now[0] == "granted" or wrong == "done ends the level though the stack is refused"
            if action == "done" and ends:
                i = leave(i, here)
        elif action in ("bad", "die"):
            now = refuse(node.status)
            if action == "die" and wrong != "die goes on":
                i = leave(i, here)
        elif action == "reset":
            now = start if wrong == "reset goes back to the start" else save.get(here, start)
        elif action != "ignore":
            for _ in range(action):
                i += 1
                while i < len(flat) and flat[i][0] > here and wrong != "a jump counts lines":
                    i += 1
        steps.append((node.at, str(here), node.status,
                      action if isinstance(action, str) else "jump %d" % action, now[0], answer()))
    own = now[0] == "undecided" or now[1] == "ignore"
    return Answer(final(), answer(), own, now[2] if answer() == "success" else None, steps)
