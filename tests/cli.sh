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
