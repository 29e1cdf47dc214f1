#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyturn copy: what arrives, what stays behind and is told, and what is refused.
# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

store=${builddir:?}/tests/copy-store

# file NAME: a service over an encrypted file of its own
file()
{
    service "$1" "read required file path=$TESTTMP/$1.db key=$TESTTMP/$1.key" 'write required file'
}

# fickle NAME [OPTION...]: a service over a store that keeps nothing; what it held is in NAME.txt
fickle()
{
    local name=$1
    shift
    rm -f "$name.txt"
    service "$name" "read required mock_fickle dump=$TESTTMP/$name.txt $*" 'write required mock_fickle'
}

# same A B: two services hold the same, to the last attribute
# shellcheck disable=SC2317 # by way of ok
same()
{
    "$store" dump "$1" >"$1.dump" && "$store" dump "$2" >"$2.dump" && [ -s "$1.dump" ] &&
        diff "$1.dump" "$2.dump"
}

# results FILE: RESULT of each row, in order
results()
{
    json "$1" '" ".join(r["result"] for r in rows[:-1])'
}

# put SERVICE NAME VALUE [OPTION...]
put()
{
    local service=$1 name=$2 value=$3
    shift 3
    printf %s "$value" | "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" -s "$service" set "$name" "$@"
}

# ---- everything, from one file to another ----

file a
file b
put a x one --attr account=main --expires 2100-01-01T00:00:00.123Z >/dev/null
put a x two --attr account=main >/dev/null
put a x three --not-before 2020-01-01T00:00:00Z >/dev/null
x4=$(put a x four)
put a x five --stage pending >/dev/null
put a dir/y $'a\nb' --attr k='v w' >/dev/null
put a dir2/z '' 2>/dev/null >/dev/null
head -c 65536 /dev/urandom >big
kt -s a set dir/big big

kt copy --from a --to b --dry-run
is 'a dry run tells what it would do' "$rc $out" "0 dir/big: would copy 1 version
dir/y: would copy 1 version
dir2/z: would copy 1 version
x: would copy 5 versions
would copy 4 secrets (8 versions) from a to b"
ok 'and writes nothing' test ! -e b.db -a ! -e b.key
kt copy --from a --to b dir
is 'below a prefix, in whole parts' "$rc $out" '0 copied 2 secrets (2 versions) from a to b'
kt -s b list
is 'nothing else is there' "$out" $'dir/big\ndir/y'
before=$(sha256sum b.db*)
kt copy --from a --to b -n
is 'a dry run into a store that has something' "$rc ${out##*$'\n'}" \
    '0 would copy 2 secrets (6 versions) from a to b, 2 there already'
is 'leaves each byte of it' "$(sha256sum b.db*)" "$before"
kt copy --from a --to b
is 'all of it' "$rc $out $err" '0 copied 2 secrets (6 versions) from a to b, 2 there already '
ok 'both hold the same' same a b
kt copy --from a --to b -v
is 'once more: nothing to do' "$rc $out" '0 copied 0 secrets (0 versions) from a to b, 4 there already'
kt -q copy --from a --to b
is '-q says nothing' "$rc $out$err" '0 '
kt -s a --json copy --to b x
is '-s says what is not said' "$rc $(json out 'rows[-1]["from"], rows[-1]["to"]')" "0 ('a', 'b')"
is 'a row a version, and a summary' "$(results out) $(json out 'rows[-1]["result"], rows[-1]["name"]')" \
    "unchanged unchanged unchanged unchanged unchanged ('summary', None)"
is 'its fields' "$(json out 'sorted(rows[0])')" \
    "['message', 'name', 'reason', 'result', 'to_version', 'version']"

# ---- what comes later ----

put a x six --attr account=main >/dev/null
kt copy --from a --to b -v
is 'only what is new' "$rc ${out%%$'\n'*}" '0 x: copied 1 version, 5 there already'
ok 'and the labels follow' same a b
kt -s a stage x current "$x4"
kt copy --from a --to b -v
is 'a label that went back' "$rc ${out%%$'\n'*}" '0 x: labels moved, 6 there already'
ok 'goes back there, too' same a b
kt -s a --json stage x pending none
kt --json copy --from a --to b x
is 'a label taken away' "$(results out)" 'unchanged unchanged unchanged unchanged unchanged unchanged staged'
ok 'is taken away there' same a b

file c
kt copy --from a --to c --current
is '--current' "$rc $out" '0 copied 4 secrets (4 versions) from a to c'
kt -s c versions x
is 'only that one' "$(wc -l <out) $(cut -f1,3 out)" "1 $x4	current"
kt copy --from a --to c
like 'the rest later: previous cannot come without a step back' "$rc $err" \
    '^13 .*x: the label previous stays behind.*--replace.*1 of 4 secrets are not whole'
kt copy --from a --to c --replace
is 'unless told so' "$rc" 0
ok 'then they are the same' same a c

# ---- the target has something of its own ----

file d
put d x other >/dev/null
put d dir/y own --stage pending >/dev/null
kt copy --from a --to d
like 'a current version that the source does not know' "$rc $err" \
    "x: 'd' has [0-9a-f-]+ as its current version, which 'a' does not know; --replace"
like 'a rotation that may be under way' "$err" "dir/y: 'd' has [0-9a-f-]+ as its pending version"
is 'is a conflict; the others go on' "$rc $out" '11 copied 2 secrets (2 versions) from a to d, 2 failed'
kt -s d get x
is 'it stays' "$out" other
kt --json copy --from a --to d
is 'as JSON' "$rc $(json out '[(r["name"], r["result"], r["reason"]) for r in rows if r.get("reason")]')" \
    "11 [('dir/y', 'failed', 'conflict'), ('x', 'failed', 'conflict')]"
is 'with its status' "$(json out 'rows[-1]["status"]') $(json err 'rows[-1]["status"]')" \
    'conflict conflict'
kt copy --from a --to d --replace
is '--replace' "$rc $out" '0 copied 2 secrets (7 versions) from a to d, 2 there already'
kt -s a get x
mv out want
kt -s d get x
ok 'the source speaks' cmp out want
kt -s d versions x
is 'what was there is not deleted' "$(wc -l <out)" 7

# ---- to a file in the open ----

service open "read required env file=$TESTTMP/.env name=%b" 'write required env'
printf '# mine\nOTHER=1\n' >.env
chmod 600 .env
cp .env .env.before
kt copy --from a --to open
like 'a weaker class of protection' "$rc $err" \
    "^4 keyturn: 'open' keeps secrets in 'env' \(plain\).* 'file' of 'a' \(sealed file\).*--allow-weaker"
ok 'is not written' cmp .env .env.before
kt -q copy --from a --to open --allow-weaker x
is 'unless told so' "$rc $err" '0 '
is 'with other lines kept' "$(<.env)" $'# mine\nOTHER=1\nx=four'
put a x seven >/dev/null
kt copy --from a --to open --allow-weaker x
like 'a target without versions cannot tell which is newer' "$rc $err" '^11 .*has another value.*--replace'
kt copy --from a --to open --allow-weaker x --replace
like 'what it does not keep is told' "$rc $err" '^0 .*x: 6 versions stay behind'
kt copy --from a --to open --allow-weaker x
like 'and nothing is done twice' "$rc $out" '^0 copied 0 secrets.*1 there already'
kt copy --from a --to open --allow-weaker
like 'what the target cannot hold stays behind' "$rc $err" \
    '^13 .*dir/big: version [0-9a-f-]+ stays behind: .*NUL byte'
like 'attributes, too' "$err" 'dir/y: copied without its attributes'
put a p/q v1 >/dev/null
put a r/q v2 >/dev/null
kt copy --from a --to open --allow-weaker p
is 'one of two names that end in one place' "$rc" 0
kt copy --from a --to open --allow-weaker r --replace
is 'is there' "$rc" 0
file two
put two p/q v1 >/dev/null
put two r/q v2 >/dev/null
sed -i '/^q=/d' .env
kt copy --from two --to open --allow-weaker --replace
like 'two in one run: the second is refused' "$rc $err" '^11 .*r/q: .*in the place of another secret'
is 'and the first stays' "$(tail -1 .env)" q=v1
rm .env
service open "read required env file=$TESTTMP/.env name=%n" 'write required env'
kt copy --from a --to open --allow-weaker
like 'a name that the target cannot have' "$rc $err" '^13 .*dir/y: .*cannot be the name of a variable'

# ---- from a store whose versions are no UUIDs ----

printf 'A=one\n' >.env
chmod 600 .env
file e
kt copy --from open --to e A
is 'a variable' "$rc $out" '0 copied 1 secret (1 version) from open to e'
kt -s e versions A
like 'has an id made of what is known of it' "$out" '^00000000-0000-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-'
first=${out%%$'\t'*}
kt --json copy --from open --to e A
is 'the same one the next time' "$rc $(results out) $(json out 'rows[0]["version"], rows[0]["to_version"]')" \
    "0 unchanged ('env:1', '$first')"
printf 'A=two\n' >.env
kt copy --from open --to e A
is 'another value' "$rc $out" '0 copied 1 secret (1 version) from open to e'
kt -s e get A
is 'is the current one' "$out" two
printf 'A=one\n' >.env
kt copy --from open --to e A
kt -s e get A
is 'and back, without a third version' "$rc $out $("$store" ids e | wc -l)" '0 one 2'

# ---- states ----

fickle f 'seed=a|x:1|v1|-|e|1000,a|x:2|v2|p|x|2000,a|x:3|v3|c|e|3000,b|x:9|w|c|d|1'
file g
kt copy --from f --to g
like 'a destroyed version stays behind' "$rc $err" 'a: version x:2 stays behind: it was destroyed'
like 'a disabled one is missing' "$rc $err" '^13 .*b: version x:9 stays behind: it is disabled'
kt -s g versions a
like 'the rest arrives, with its times' "$(cut -f3,4 <<<"$out" | tr '\n' ' ')" \
    '^current	1970-01-01T00:00:03Z -	1970-01-01T00:00:01Z $'
kt -s g get b
is 'without a value there is no secret' "$rc" 3

# ---- refused before anything is read ----

kt copy --from a --to a
like 'to itself' "$rc $err" "^2 .*from 'a' to itself"
kt copy
like 'nor without a word' "$rc $err" "^2 .*from 'deepseek' to itself"
service ro 'read required mock_fickle dies=1' 
kt copy --from ro --to ro2
like 'a target that is not there' "$rc $err" "^3 .*no file for service 'ro2'"
kt copy --from ro2 --to a
like 'a source that is not there' "$rc $err" "^3 .*no file for service 'ro2'"
kt copy --from f --to ro
like 'a target that cannot be written' "$rc $err" "^22 keyturn: 'ro' has no write lines: nothing can be copied to it$"
kt copy --from a --to b 'a//b'
is 'a prefix that is no name' "$rc" 14
kt copy --from a --to b nosuch
like 'a prefix that nothing has' "$rc $err" "^3 .*no secret below 'nosuch' in 'a'"
kt copy --from a --to b a b
is 'too many words' "$rc" 2

# ---- stores that fail ----

file h
for i in 1 2 3 4 5 6; do put h "s$i" "v$i" --attr k=v >/dev/null; done
fickle t
kt copy --from h --to t
like 'a good target' "$rc $out $(wc -l <t.txt)" '^0 copied 6 secrets .* 6$'
fickle t throttle=5
kt copy --from h --to t
is 'a throttled one is given time' "$rc $out" '0 copied 6 secrets (6 versions) from h to t'
fickle t throttle=1000
kt --timeout 1s copy --from h --to t
like 'but not for ever' "$rc $err" "^7 .*stopped at 's1', after 0 of 6 secrets: .*slower, please; run it again"
fickle t dies=12
kt copy --from h --to t
like 'a target that dies ends the run' "$rc $err" "^6 keyturn: stopped at 's3', after 2 of 6 secrets: .*gone"
is 'after one failure' "$out" 'copied 2 secrets (2 versions) from h to t, 1 failed'
for status in locked timeout denied no_space read_only corrupt module_error config_error; do
    fickle t dies=12 status=$status
    kt copy --from h --to t
    like "$status: never a success" "$rc $err" '^([4-9]|1[0-9]|2[0-9]) .*gone'
done
fickle t torn
kt copy --from h --to t
like 'what does not come back as it was is corrupt' "$rc $err" \
    "^21 .*s1: what 't' gives back is not what was written \(the value\)"
fickle t loses
kt copy --from h --to t
like 'attributes, too' "$rc $err" '^21 .*s6: .*not what was written \(attributes or times\)'
fickle t intruder=3
kt copy --from h --to t
like 'a target that another one changes meanwhile' "$rc $err" "^11 .*s3: 't' was changed by somebody else"
is 'the others are copied' "$out" 'copied 5 secrets (6 versions) from h to t, 1 failed'
file w
put w s v1 >/dev/null
put w s v2 >/dev/null
fickle t intruder=1
kt copy --from w --to t
is 'one who was faster' "$rc $(grep -c 'fickle:other other c$' t.txt) $(wc -l <t.txt)" '11 1 2'
fickle t 'seed=s2|x:1|theirs|c|e|5'
kt copy --from h --to t
like 'what was there is left alone' "$rc $(grep s2 t.txt)" '^11 s2 x:1 theirs c$'
fickle u dies=3 'seed=a|x:1|v|c|e|1,b|x:1|v|c|e|1,c|x:1|v|c|e|1'
file i
kt copy --from u --to i
like 'a source that dies in its list: never a short copy' "$rc $err" '^6 .*gone'
like 'with nothing done' "$out" '^copied 0 secrets'
fickle u dies=8 'seed=a|x:1|v|c|e|1,b|x:1|v|c|e|1,c|x:1|v|c|e|1'
kt copy --from u --to i
like 'one that dies later' "$rc $err" "^6 .*stopped at 'c', after 2 of 3"
service u 'read optional debug list=unavailable' "read required file path=$TESTTMP/h.db key=$TESTTMP/h.key" \
    'write required file'
kt copy --from u --to i s1
like 'a line that could not be asked' "$rc $err" "^6 .*'u' did not tell all its names.*debug"
kt -s i get s1
is 'although the rest is copied' "$rc $out" '0 v1'
service less 'read required mock_less' 'write required mock_less'
file j
put j short 0123456789 >/dev/null
put j long 0123456789abcdefg >/dev/null
kt copy --from j --to less --allow-weaker -n
like 'a dry run knows what is too large' "$rc $err" '^13 .*long: version .* stays behind: its value has 17 bytes, the target takes 16'
kt copy --from j --to less --allow-weaker
like 'as the run does' "$rc $out" '^13 copied 1 secret \(1 version\) from j to less, 1 not whole$'
service part "read required file path=$TESTTMP/k.db key=$TESTTMP/k.key" \
    "write required file" 'write required debug put=denied prepare=success'
kt copy --from j --to part short
like 'a follower that fails' "$rc $err" '^13 .*short: .*keyturn repair'

# ---- a full disk, one that cannot be written ----

file l
for i in 1 2 3 4 5 6; do head -c 30000 /dev/urandom | kt -s j -q set "large$i"; done
kt copy --from j --to l short
(
    trap '' XFSZ
    ulimit -f 100
    kt copy --from j --to l
    echo "$rc $err"
) >full
like 'a file that may not grow: three of a kind end the run' "$(<full)" "^16 .*stopped at 'large[3-6]'.*run it again"
kt copy --from j --to l
is 'room again' "$rc" 0
kt -s l get short
is 'nothing was lost' "$rc $out" '0 0123456789'
if [ "$(id -u)" != 0 ]; then
    mkdir locked && cp l.db locked/l.db && chmod 400 locked/l.db && chmod 500 locked
    service m "read required file path=$TESTTMP/locked/l.db key=$TESTTMP/l.key" 'write required file'
    kt copy --from j --to m
    is 'a target that is read-only' "$rc" 17
    chmod 700 locked
fi
file n
"$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" copy --from a --to n >/dev/full 2>err
is 'standard output that is full' "$?" 1
kt copy --from a --to n
like 'is no reason not to copy' "$rc $out" '^0 copied 0 secrets'
fickle t throttle=5
python3 - "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" copy --from h --to t >seen 2>&1 <<'END'
import os, pty, sys
os.set_blocking(0, True)
status = pty.spawn(sys.argv[1:])
sys.exit(os.waitstatus_to_exitcode(status))
END
ok 'a bar on a terminal' grep -q '\[[#.]*\] [0-9]*/[0-9]*' seen
unlike 'and nowhere else' "$err" '\['

finish
