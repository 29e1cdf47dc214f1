#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Where a value must not be: argv, environment, logs, temporary files, core files; and, once a command
# has released it, anywhere in its memory.
# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

service deepseek "read required file path=$TESTTMP/s.db key=$TESTTMP/s.key" 'write required file'
mkdir data logs
head -c 60 /dev/urandom | base64 -w0 >data/canary
printf '{"user":"u","key":"%s"}' "$(<data/canary)" >data/object
canary=${builddir:?}/tests/canary

# quiet WHAT ARGUMENT...: run keyturn; its memory holds no canary when it exits, its words never
quiet()
{
    local what=$1
    shift
    "$canary" data/canary "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" "$@" \
        >data/out 2>"logs/err" 9>code
    is "$what: not in memory at exit" "$? $(grep -c '^canary:' logs/err)" '0 0'
}

# shellcheck disable=SC2016 # the shell inside expands it
"$canary" data/canary /bin/sh -c 'kept=$(cat data/canary); exit 0' 2>/dev/null 9>code
is 'control: what is kept is found' "$?" 1
"$canary" data/canary /bin/sh -c 'exit 7' 2>/dev/null 9>code
is 'control: what was never there is not' "$? $(<code)" '0 7'

quiet 'set from standard input' -vv set a <data/canary
is 'set from standard input: worked' "$(<code)" 0
quiet 'set from a FILE' -vv set b data/canary
quiet 'set --trim' -vv set c --trim <data/canary
quiet 'set an object' -vv set o data/object
is 'set an object: worked' "$(<code)" 0
quiet 'get' -vv get a
ok 'get: worked' cmp data/out data/canary
quiet 'get as JSON' --json -vv get a
ok 'get as JSON: worked' grep -qF "$(<data/canary)" data/out
quiet 'get of a member' -vv get o --field key
ok 'get of a member: worked' cmp data/out data/canary
service sloppy "read required mock_sloppy path=$TESTTMP/data/canary"
quiet 'get from a module that wipes nothing' -vv -s sloppy get a
ok 'get from a module that wipes nothing: worked' cmp data/out data/canary
quiet 'explain' -vv explain a
quiet 'list' -vv list
quiet 'versions' -vv versions a
"$canary" data/canary "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" get a >/dev/full 2>logs/full 9>code
is 'get to a full device: not in memory at exit' "$? $(<code)" '0 1'
quiet 'set that conflicts' -vv set a --expect none <data/canary
ok 'set that conflicts: did' test "$(<code)" -ne 0
quiet 'set of a bad name' -vv set a//b <data/canary
quiet 'set that is too large' -vv set big < <(cat data/canary; head -c 70000 /dev/zero)
is 'set that is too large: was' "$(<code)" 15
quiet 'get of a member that is not there' -vv get o --field nosuch
quiet 'delete' -vv delete b

# data/ holds what was put in and given out; nothing else may
for at in logs s.db s.db-wal s.db-shm s.key etc home "${TMPDIR:-/tmp}/keyturn"*; do
    [ -e "$at" ] || continue
    case $at in */keyturn-test.*) continue ;; esac
    ok "not under $at" test -z "$(grep -rlF "$(cut -c1-24 data/canary)" "$at")"
done

# ---- while it works: argv and environment, and no core ----

service slow 'read required debug delay=30m'
cat >watch.py <<'EOF'
import os, resource, signal, sys, time
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
canary = open("data/canary", "rb").read()
fd = os.open("data/canary", os.O_RDONLY)
null = os.open("/dev/null", os.O_RDWR)
argv = [os.environ["KEYTURN"], "--module-dir", os.environ["KEYTURN_TEST_MODULES"], "--timeout", "1h", "-s", "slow"]
argv += sys.argv[1:]
pid = os.posix_spawn(argv[0], argv, os.environ,
                     file_actions=[(os.POSIX_SPAWN_DUP2, fd, 0), (os.POSIX_SPAWN_DUP2, null, 1)])
def at_work(): # it waits in the module, which was mapped for that
    try:
        return "/debug.so" in open(f"/proc/{pid}/maps").read()
    except PermissionError:
        return True
try:
    until = time.monotonic() + 120
    while not at_work() and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.5)
    assert canary not in open(f"/proc/{pid}/cmdline", "rb").read()
    try:
        assert canary not in open(f"/proc/{pid}/environ", "rb").read()
    except PermissionError:
        assert os.geteuid() != 0 # nobody but root may look: so it shall be
    core = None
    while core != [["0", "0"]] and time.monotonic() < until:
        core = [l.split()[4:6] for l in open(f"/proc/{pid}/limits") if l.startswith("Max core file size")]
    assert core == [["0", "0"]], core
finally:
    os.kill(pid, signal.SIGABRT)
    status = os.waitpid(pid, 0)[1]
assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGABRT, status
assert not os.WCOREDUMP(status)
EOF
export KEYTURN
ok 'get: not in argv or environment, and no core' python3 watch.py get a
service slow 'read required debug' 'write required debug delay=30m'
ok 'set: not in argv or environment, and no core' python3 watch.py set a
ok 'no core file' test -z "$(find . -name 'core*')"

finish
