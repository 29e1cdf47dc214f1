#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyturn set, list, versions, stage, delete, restore, repair over the encrypted file.
# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

service deepseek "read required file path=$TESTTMP/s.db key=$TESTTMP/s.key" 'write required file'
uuid='^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'

# back NAME FILE: get gives exactly what FILE holds
# shellcheck disable=SC2317 # by way of ok
back()
{
    "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" get "$1" | cmp - "$2"
}

# ---- what goes in comes out ----

printf 'sk-1' | kt set a
like 'set prints the version' "$out" "$uuid"
is 'set says nothing else' "$rc $err" '0 '
first=$out
kt get a
is 'get' "$rc $out" '0 sk-1'
head -c 3000 /dev/urandom >bytes
kt set bytes bytes
is 'a FILE' "$rc" 0
ok 'any bytes come back' back bytes bytes
kt --json get bytes
is 'as JSON they are base64' \
    "$(json out '(__import__("base64").b64decode(rows[0]["value"]) == open("bytes", "rb").read(), rows[0]["encoding"])')" \
    "(True, 'base64')"
printf 'a\0b' | kt set nul
kt --json get nul
is 'a NUL makes it binary' "$(json out 'rows[0]["value"], rows[0]["encoding"]')" "('YQBi', 'base64')"
printf 'l1\n"\\\t\033\303\251' >text
kt set text text
kt --json get text
is 'text is a string' "$(json out 'rows[0]["value"] == open("text", encoding="utf-8").read(), "encoding" in rows[0]')" \
    '(True, False)'
kt set empty /dev/null
is 'an empty value' "$rc" 0
ok 'comes back empty' back empty /dev/null
kt -q set a <<<'sk-2'
is '-q prints nothing' "$rc $out$err" '0 '

# ---- the newline at the end ----

printf 'v\n' >line.txt
kt set nl - <line.txt
like 'a newline is warned of' "$rc $err" '^0 keyturn: warning: .*ends in a newline, which is kept; --trim'
ok 'and kept' back nl line.txt
kt set nl line.txt
like 'in a FILE, too' "$err" 'ends in a newline'
kt set nl --json <line.txt
is 'the warning as JSON' "$(json err 'rows[0]["level"]')" warning
for text in 'v\n' 'v\r\n' 'v\n\n' 'v' 'v\r'; do
    # shellcheck disable=SC2059
    printf "$text" | kt set trim --trim
    is "--trim of $text: no warning" "$rc $err" '0 '
    kt get trim
    # shellcheck disable=SC2059
    printf "$text" | python3 -c '
import sys
v = sys.stdin.buffer.read()
v = v[:-2] if v.endswith(b"\r\n") else v[:-1] if v.endswith(b"\n") else v
sys.stdout.buffer.write(v)' >wanted
    ok "--trim of $text drops one" cmp out wanted
done

for input in '' '\n'; do
    # shellcheck disable=SC2059
    printf "$input" | kt set trim --trim
    like 'nothing is a value, with a warning' "$rc $err" '^0 keyturn: warning: trim: the value is empty$'
done
kt set trim </dev/null
like 'an empty standard input, too' "$rc $err" '^0 keyturn: warning: trim: the value is empty$'
kt set trim /dev/null
is '/dev/null as FILE means it' "$rc $err" '0 '

# ---- limits: refused before anything is written ----

head -c 65536 /dev/zero | kt set big
is '65,536 bytes are a value' "$rc" 0
before=$(kt versions big; echo "$out")
head -c 65537 /dev/zero | kt set big
is 'one more is too_large' "$rc $out" '15 '
head -c 9000000 /dev/zero | kt set big
is 'many more, too' "$rc" 15
is 'nothing was written' "$(kt versions big; echo "$out")" "$before"
{ head -c 65536 /dev/zero; printf '\r\n'; } | kt set big --trim
is '65,536 bytes and a line end, trimmed' "$rc" 0
{ head -c 65537 /dev/zero; printf '\n'; } | kt set big --trim
is 'but not one more' "$rc" 15
for name in a//b /a a/ .. a/../b '' 'a b'; do
    printf v | kt set "$name"
    is "name '$name': invalid" "$rc" 14
done
kt set "$(printf 'n%.0s' {1..513})" /dev/null
ok 'a name of 513 bytes is refused' test "$rc" -eq 14 -o "$rc" -eq 15
kt set x nosuchfile
is 'no such FILE: exit 1' "$rc" 1
like 'no such FILE: says so' "$err" 'FILE .*from standard input.*: No such file'
unlike 'no such FILE: the word may be a secret' "$err" nosuchfile
kt set x y sk-secret
unlike 'a word too many may be one, too' "$err" sk-secret
kt set x .
is 'a directory: exit 1' "$rc" 1

# ---- attributes, times, ids, expected versions ----

year=$(date -u +%Y)
printf v | kt set meta --attr account=main --attr 'note=a=b c' --expires 2031-01-02T03:04:05Z \
    --not-before 2020-01-01T00:00:00+01:00
is 'with attributes and times' "$rc" 0
kt --json get meta
is 'they come back' "$(json out '(rows[0]["attributes"], rows[0]["expires"], rows[0]["not_before"])')" \
    "({'account': 'main', 'note': 'a=b c'}, '2031-01-02T03:04:05.000Z', '2019-12-31T23:00:00.000Z')"
like 'created is of now' "$(json out 'rows[0]["created"]')" "^($year|$(date -u +%Y))-.*Z$"
printf v | kt set soon --expires 90d
kt --json get soon
ok '90d is in 90 days' python3 -c '
import datetime as d, sys
t = d.datetime.strptime(sys.argv[1], "%Y-%m-%dT%H:%M:%S.%fZ")
assert abs(t - d.datetime.utcnow() - d.timedelta(days=90)) < d.timedelta(minutes=5)' \
    "$(json out 'rows[0]["expires"]')"
printf v | kt set gone --expires 2020-01-01T00:00:00Z
like 'an expiry in the past is warned of' "$rc $err" "^0 .*--expires '2020-.*' is in the past"
kt get gone
like 'past its expiry: given, with a warning' "$rc $out $err" '^0 v keyturn: warning: .*expired at 2020-01-01'
printf 1 | kt set e --expect none
is '--expect none: not there yet' "$rc" 0
id=$out
printf 2 | kt set e --expect none
ok '--expect none: there now' test "$rc" -eq 11 -o "$rc" -eq 12
printf 2 | kt set e --expect "$id"
is '--expect the current' "$rc" 0
second=$out
printf 3 | kt set e --expect "$id"
is '--expect an old one: conflict' "$rc" 11
kt get e
is 'and nothing was written' "$out" 2
uuid7=01900000-0000-7000-8000-000000000001
printf x | kt set own --id $uuid7
is 'an id of our own' "$rc $out" "0 $uuid7"
printf x | kt set own --id $uuid7
is 'again with the same bytes' "$rc $out" "0 $uuid7"
printf y | kt set own --id $uuid7
is 'with other bytes: exists' "$rc" 12
printf x | kt set own --id 3
is 'no UUIDv7: invalid' "$rc" 14

# ---- versions and stages ----

kt versions e
is 'versions: newest first, tabs, no head' "$(cut -f1-3 out)" "$second"$'\tenabled\tcurrent\n'"$id"$'\tenabled\tprevious'
kt --json versions e
is 'as JSON' "$(json out '[(r["version"], r["stages"]) for r in rows]')" \
    "[('$second', ['current']), ('$id', ['previous'])]"
kt get e --stage previous
is 'get --stage' "$out" 1
kt get e --version "$id"
is 'get --version' "$out" 1
printf 9 | kt set e --stage pending --json
is 'set --stage pending' "$(json out 'rows[0]["stage"]')" pending
pending=$(json out 'rows[0]["version"]')
kt get e
is 'does not change what is current' "$out" 2
kt stage e "$pending" current --expect "$id"
is 'stage: conflict' "$rc" 11
kt stage e "$pending" current --expect "$second"
is 'stage: promoted' "$rc $out" "0 e: current is $pending"
kt get e
is 'is current now' "$out" 9
kt stage e current "$second"
is 'either order' "$rc" 0
kt stage e 01900000-0000-7000-8000-00000000ffff current
is 'a version that is not there' "$rc" 3
printf 8 | kt set e --stage pending
kt stage e none pending
is 'none takes pending away' "$rc $out" '0 e: pending is taken away'
kt get e --stage pending
is 'nobody is pending' "$rc" 3
kt stage e previous current
is 'a version by its stage' "$rc $(kt get e; echo "$out")" '0 9'
kt stage e pending current
like 'a stage that nobody bears' "$rc $err" '^3 .*no version is pending'
printf 1 | kt set staged --stage pending
first_staged=$out
kt get staged
like 'only pending: says so' "$rc $err" "^3 .*'staged' has no current version; pending is $first_staged"
kt get staged --stage previous
like 'no previous: says so' "$rc $err" "^3 .*'staged' has no previous version"

# ---- list ----

printf v | kt set dir/b
printf v | kt set dir/a
printf v | kt set directory
kt list
is 'list: names in order' "$out" "$(LC_ALL=C sort out)"
kt list dir
is 'list: below whole parts' "$out" $'dir/a\ndir/b'
kt list dir/
is 'list: as completion leaves it' "$out" $'dir/a\ndir/b'
kt --json list dir
is 'list as JSON' "$(json out '[(r["name"], r["module"], r["state"]) for r in rows]')" \
    "[('dir/a', 'file', 'enabled'), ('dir/b', 'file', 'enabled')]"
kt list nothing/here
is 'nothing below: success, and nothing' "$rc $out$err" '0 '
service half 'read optional debug list=unavailable' \
    "read required file path=$TESTTMP/s.db key=$TESTTMP/s.key" 'write required file'
kt -s half -q list dir
is 'a line that fails: the list' "$rc $out" $'0 dir/a\ndir/b'
like 'and says so, even with -q' "$err" 'warning: .*half:1: debug: '
is 'once' "$(grep -o 'half:1' err | wc -l) $(grep -o 'debug: ' err | wc -l)" '1 1'

# ---- delete and restore ----

kt delete dir/a
is 'delete: exit 0' "$rc" 0
case $out in
*"'keyturn restore dir/a' brings it back")
    kt get dir/a
    is 'deleted' "$rc" 3
    kt restore dir/a
    is 'restore' "$rc $out" '0 dir/a: restored'
    kt get dir/a
    is 'is back' "$rc $out" '0 v'
    ;;
*)
    is 'delete: says that it is for good' "$out" 'dir/a: deleted, for good'
    kt restore dir/a
    ok 'and it is' test "$rc" -ne 0
    ;;
esac
kt delete directory --purge
is 'purge: for good' "$rc $out" '0 directory: deleted, for good'
kt restore directory
ok 'not even restore' test "$rc" -ne 0
kt delete nosuch
is 'delete what is not there' "$rc" 3
kt delete e --version "$id"
is 'delete a version' "$rc" 0
kt get e --version "$id"
ok 'is gone' test "$rc" -eq 18 -o "$rc" -eq 3
kt --json delete dir/b
is 'as JSON' "$(json out '(rows[0]["name"], rows[0]["result"], type(rows[0]["restorable"]))')" \
    "('dir/b', 'deleted', <class 'bool'>)"

# ---- a follower ----

service two "read required file path=$TESTTMP/s.db key=$TESTTMP/s.key" 'write required file' \
    'write required debug commit=unavailable'
printf p | kt -s two set part
like 'partial: its exit code, and the version' "$rc $out" '^13 [0-9a-f-]{36}$'
like 'partial: one line' "$(wc -l <err) $err" '^1 keyturn: .*part'
kt get part
is 'partial: the authority has it' "$out" p
service two "read required file path=$TESTTMP/s.db key=$TESTTMP/s.key" 'write required file' \
    "write required env name=%n file=$TESTTMP/dot.env"
printf p | kt -s two set PART
service two "read required file path=$TESTTMP/s.db key=$TESTTMP/s.key" 'write required file' \
    'write optional debug commit=unavailable delete=throttled' 'write optional debug prepare=busy'
printf q | kt -s two set part
is 'optional followers that fail: stored' "$rc" 0
like 'the one that failed: a warning with file, line, status' "$err" \
    "warning: part: $KEYTURN_CONFIG_DIR/two:3: debug: .*\\(unavailable\\): not done there; 'keyturn repair'"
like 'the one that could not begin' "$err" "two:4: debug: .*\\(busy\\): not done there"
printf q | kt -s two -q set part
is '-q: no warning' "$rc $err" '0 '
printf q | kt -s two -q -v set part
is '-q is stronger than -v' "$rc $err" '0 '
kt -s two delete part
like 'delete warns, too' "$err" 'two:3: debug: .*\(throttled\)'
service two "read required file path=$TESTTMP/s.db key=$TESTTMP/s.key" 'write required file' \
    "write required env name=%n file=$TESTTMP/dot.env"
rm -f dot.env
kt -s two repair PART
is 'repair' "$rc $out" '0 PART: repaired'
like 'repair: the follower has it again' "$(<dot.env)" 'PART=.?p'

# ---- the first version is still what it was ----

kt get a --version "$first"
is 'an old version keeps its bytes' "$rc $out" '0 sk-1'

finish
