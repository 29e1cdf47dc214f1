# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the scripts about keyturn(1) share: TAP, and a service directory of their own. Sourced.
# Uses KEYTURN, KEYTURN_TEST_MODULES, TESTTMP.
set -u
shopt -s lastpipe # `value | kt set NAME` sets rc, too

export KEYTURN_CONFIG_DIR=$TESTTMP/etc
mkdir -p "$KEYTURN_CONFIG_DIR"
cd "$TESTTMP" || exit 99

tests=0

# ok WHAT COMMAND...: it must succeed
ok()
{
    local what=$1
    shift
    tests=$((tests + 1))
    if "$@" >"$TESTTMP/why" 2>&1; then
        echo "ok $tests - $what"
    else
        echo "not ok $tests - $what"
        echo "# failed: $*"
        sed 's/^/# /' "$TESTTMP/why"
        if [ -s "$TESTTMP/err" ]; then sed 's/^/# stderr: /' "$TESTTMP/err"; fi
    fi
}

# is WHAT GOT WANTED
is()
{
    tests=$((tests + 1))
    if [ "$2" = "$3" ]; then
        echo "ok $tests - $1"
    else
        echo "not ok $tests - $1"
        printf '%s\n' "got: $2" "wanted: $3" | sed 's/^/# /'
        if [ -s "$TESTTMP/err" ]; then sed 's/^/# stderr: /' "$TESTTMP/err"; fi
    fi
}

# like WHAT GOT PATTERN: an extended regular expression
like()
{
    tests=$((tests + 1))
    if [[ $2 =~ $3 ]]; then
        echo "ok $tests - $1"
    else
        echo "not ok $tests - $1"
        printf '%s\n' "got: $2" "wanted: $3" | sed 's/^/# /'
    fi
}

# unlike WHAT GOT PATTERN
unlike()
{
    if [[ $2 =~ $3 ]]; then
        is "$1" "$2" "nothing like $3"
    else
        is "$1" "" ""
    fi
}

finish()
{
    echo "1..$tests"
    exit 0
}

# kt ARGUMENT...: run keyturn with standard input as it is; its output is in $out and $err (without
# the last newline) and in the files out and err, its exit code in $rc
kt()
{
    "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" "$@" >"$TESTTMP/out" 2>"$TESTTMP/err"
    # shellcheck disable=SC2034 # for who sources this
    rc=$?
    # shellcheck disable=SC2034
    out=$(tr -d '\0' <"$TESTTMP/out")
    # shellcheck disable=SC2034
    err=$(<"$TESTTMP/err")
}

# at_terminal ANSWER... -- ARGUMENT...: run keyturn at a terminal, where each question, which ends in a
# colon and a blank, gets the next answer; sets $rc, and $out to all that was shown
at_terminal()
{
    : >"$TESTTMP/answers"
    while [ "$1" != -- ]; do
        printf '%s\n' "$1" >>"$TESTTMP/answers"
        shift
    done
    shift
    python3 -c '
import os, pty, select, sys
answers = open(sys.argv[1], "rb").read().splitlines()
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
seen, told = b"", 0
while select.select([fd], [], [], 600)[0]:
    try:
        got = os.read(fd, 4096)
    except OSError:
        break
    if not got:
        break
    seen += got
    if seen[told:].endswith(b": ") and answers:
        told = len(seen)
        os.write(fd, answers.pop(0) + b"\n")
os.close(fd)
status = os.waitpid(pid, 0)[1]
sys.stdout.write(seen.decode(errors="replace").replace("\r", ""))
sys.exit(os.waitstatus_to_exitcode(status))' \
        "$TESTTMP/answers" "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" "$@" \
        >"$TESTTMP/out" 2>"$TESTTMP/err"
    # shellcheck disable=SC2034 # for who sources this
    rc=$?
    # shellcheck disable=SC2034
    out=$(<"$TESTTMP/out")
}

# service NAME LINE...
service()
{
    local name=$1
    shift
    printf '%s\n' "$@" >"$KEYTURN_CONFIG_DIR/$name"
}

# json FILE EXPRESSION: each line of FILE must be an object; prints what Python's EXPRESSION makes of
# the list `rows`
json()
{
    python3 -c '
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
assert all(isinstance(r, dict) for r in rows)
print(eval(sys.argv[2]))' "$1" "$2"
}
