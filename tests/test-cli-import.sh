#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyturn import of .env files and JSON: what is stored under which name, what is left as it is, and
# that a damaged source stores nothing at all.
# shellcheck source=tests/cli.sh disable=SC2154,SC2016,SC2317 # rc, out, err come from there
. "${srcdir:?}/tests/cli.sh"

service deepseek "read required file path=$TESTTMP/s.db key=$TESTTMP/s.key" 'write required file'

# is_value NAME TEXT: with printf's escapes
is_value()
{
    kt get "$1"
    # shellcheck disable=SC2059
    printf "$2" >wanted
    ok "$1 is what it was" cmp out wanted
}

# ---- .env ----

printf '%s\n' '# a comment' 'DEEPSEEK_API_KEY=sk-1' 'export B="two' 'lines\t\$x"' "C='lit\\n'" \
    'C=last # comment' 'EMPTY=' >.env
kt import .env --dry-run
is 'a dry run' "$rc $out" '0 DEEPSEEK_API_KEY: would be imported
B: would be imported
C: would be imported
EMPTY: would be imported: its value is empty'
like 'says what the source was taken for' "$err" '\.env \(env\): 4 would be imported'
ok 'and stores nothing' test ! -e s.db
kt import .env
is 'an import' "$rc $out" '0 DEEPSEEK_API_KEY: imported
B: imported
C: imported
EMPTY: imported: its value is empty'
like 'tells which of two assignments counts' "$err" 'line 5: C is assigned again in line 6, which counts'
like 'and that the source still lies there' "$err" '\.env still holds these values in the open'
ok 'and leaves it' test -s .env
is_value DEEPSEEK_API_KEY sk-1
is_value B 'two\nlines\t$x'
is_value C last
is_value EMPTY ''
kt import .env --quiet
is 'again, quietly: nothing is said and nothing done' "$rc $out$err" '0 '
kt import .env --json
is 'as JSON: a row each and a summary' \
    "$(json out '[(r["name"], r["result"]) for r in rows], rows[-1]["unchanged"], rows[-1]["format"], rows[0]["key"], rows[0]["status"], rows[0]["dry_run"]')" \
    "([('DEEPSEEK_API_KEY', 'unchanged'), ('B', 'unchanged'), ('C', 'unchanged'), ('EMPTY', 'unchanged'), (None, 'summary')], 4, 'env', 'DEEPSEEK_API_KEY', 'success', False)"
kt versions C
is 'no second version was made' "$(wc -l <out)" 1

printf 'A=1\nC=other\nDEEPSEEK_API_KEY=sk-1\n' | kt import -
is 'another value is a conflict, the others go on' "$rc $out" "11 A: imported
C: conflict: the store has another value; --replace stores this one besides
DEEPSEEK_API_KEY: unchanged"
like 'and counted' "$err" '1 of 3 secrets were not imported'
is_value C last
printf 'C=other\n' | kt import - --json
is 'as JSON' "$rc $(json out 'rows[0]["result"], rows[0]["status"], rows[1]["conflict"]') $(json err 'rows[-1]["status"]')" \
    "11 ('conflict', 'conflict', 1) conflict"
printf 'C=other\n' | kt import - --replace --dry-run
is 'what --replace would do' "$rc $out" '0 C: would be replaced'
is_value C last
printf 'C=other\n' | kt import - --replace
is '--replace' "$rc $out" '0 C: replaced'
is_value C other
kt get C --stage previous
is 'keeps what was' "$out" last
kt delete A
printf 'A=new\n' | kt import - --replace
is '--replace of what is not there' "$rc $out" '0 A: imported'

# ---- names ----

kt import .env --prefix app/web --only C --map B=deepseek/api-key --only B
is '--prefix, --only and --map' "$rc $out" '0 deepseek/api-key: imported
app/web/C: imported'
is_value deepseek/api-key 'two\nlines\t$x'
kt import .env --only NOSUCH
is 'a key that is not there' "$rc $out" '3 '
like 'is named' "$err" '\.env has no such key; nothing was imported'
kt import .env --map NOSUCH=x
is 'for --map, too' "$rc $out" '3 '
kt import .env --map C=x --map B=x
is 'two of one name' "$rc $out" '14 '
like 'are named' "$err" 'B and C of .* would both be x'
kt import .env --map C
is 'a --map without a name' "$rc" 2
kt import .env --prefix app/web/ --only C
is 'a prefix with a slash at its end' "$rc $out" '0 app/web/C: unchanged'
kt import .env --prefix a//b
is 'a prefix that is no name' "$rc" 14
printf '{"my key":"v","a:b/c":"w","":"e"}' | kt import - --prefix p
is 'names that are none' "$rc" 14
like 'are told what they would have to be' "$out" "p/my key: invalid: not a name.*--map 'my key=my-key' gives it one"
like 'and may be' "$out" "--map 'a:b/c=a-b/c' gives it one"
printf '{"my key":"v"}' | kt import - --map 'my key=my-key'
is 'with that it goes' "$rc $out" '0 my-key: imported'
kt import .env --map C=bad//name --only C
is 'a name of --map that is none' "$rc" 14
unlike 'is invalid' "$out" imported

# ---- JSON ----

cat >values.json <<'END'
{"db": {"url": "p\u00e9\ud83d\ude00\n", "port": 5432, "tls": true, "none": null, "hosts": ["a"]},
 "deep": {"er": {"still": ""}}, "bin": {"value": "AAEC/w==", "encoding": "base64"}, "nothing": {}}
END
kt import values.json
is 'JSON' "$rc $out" "14 db/url: imported
db/port: imported
db/tls: imported
db/none: invalid: its value is neither a string nor a number
db/hosts: invalid: its value is neither a string nor a number
deep/er/still: imported: its value is empty
bin: imported"
like 'is recognised' "$err" 'values.json \(json\)'
is_value db/url 'p\xc3\xa9\xf0\x9f\x98\x80\n'
is_value db/port 5432
is_value db/tls true
is_value bin '\0\1\2\377'
printf '\357\273\277 {"bom": "x"}' | kt import -
is 'a mark before it, as Windows writes' "$rc $out" '0 bom: imported'
printf '[{"name":"l/1","value":"v1","slotSetting":false},{"id":7,"key":"l/2","value":"v2","type":{"x":[]}}]' | kt import -
is 'a list of objects with name or key, and value' "$rc $out" '0 l/1: imported
l/2: imported'
for name in bin db/url; do kt --json get $name; cat out; done >lines.jsonl
kt import lines.jsonl --prefix again
is "what 'get --json' printed" "$rc $out" '0 again/bin: imported
again/db/url: imported'
is_value again/bin '\0\1\2\377'
kt --json get bin
cp out one.json
kt import one.json --format json --prefix one
is 'one such object alone' "$rc $out" '0 one/bin: imported'
printf '{"name":"n","value":"v"}' | kt import - --prefix plain
is 'name and value alone are two secrets' "$rc $out" '0 plain/name: imported
plain/value: imported'
printf 'A=1\r\nB="x"\r\n\r\n' >crlf.env
kt import crlf.env --prefix crlf
is 'CR LF' "$rc" 0
is_value crlf/A 1
is_value crlf/B x
kt list --json
cp out listed
kt import listed --format json
like "'list --json' has no values" "$rc $err" '^21 .*names a secret, but has no value; nothing was imported'

# ---- damaged: where, and nothing is stored ----

before=$(kt list; echo "$out")
damaged()
{
    local what=$1 where=$2
    shift 2
    kt import damaged "$@"
    like "$what" "$rc $out|$err" "^21 \|keyturn: damaged, $where.*; nothing was imported$"
    is "$what: one line" "$(wc -l <err)" 1
}
rows=(
    'no assignment|line 2, column 5: .=. is expected|env|OK=1\nfoo bar\n'
    'an open quote|line 2, column 3: a quote|env|OK=1\nB="x\ny\n'
    'text after a quote|line 3, column 3: text after|env|OK=1\nB="x\ny" z\n'
    'a digit first|line 1, column 1: a key|env|1A=x\n'
    'a NUL in a value|line 1, column 4: a NUL|env|A=x\0y\n'
    'a key alone|line 1, column 2: .=.|env|A\n'
    'nothing|line 1, column 1: an object or a list|json|'
    'a string|line 1, column 1: an object|json|"x"'
    'cut off|line 1, column 8|json|{"a":"b'
    'no comma|line 2, column 1: .,. or .}.|json|{"a":1\n"b":2}'
    'a comma too many|line 1, column 8: a string|json|{"a":1,}'
    'a key twice|line 1, column 10: .*twice|json|{"ok":1,\t"ok":2}'
    'an object twice|line 1, column 14: .*twice|json|{"a":{"b":1},"a":{"c":2}}'
    'twice by nesting|line 1, column 15: .*twice|json|{"a/b":1,"a":{"b":2}}'
    'a name twice in a list|line 1, column 35: .*twice|json|[{"name":"a","value":"1"},{"name":"a","value":"2"}]'
    'half a pair|line 1, column 13: half|json|{"a":"\\ud800"}'
    'no UTF-8|line 1, column 7: not UTF-8|json|{"a":"\xff"}'
    'a line end in a string|line 1, column 7: a control|json|{"a":"\n"}'
    'text behind|line 1, column 8: text after|json|{"a":1}}'
    'a comment|line 1, column 2: a string|json|{/**/"a":1}'
    'NaN|line 1, column 6: a value|json|{"a":NaN}'
    'a leading zero|line 1, column 7|json|{"a":01}'
    'no base64|line 1, column 15: this is no base64|json|{"a":{"value":"?","encoding":"base64"}}'
    'an encoding unknown|line 1, column 30: an encoding|json|{"a":{"value":"x","encoding":"rot13"}}'
    'an element without a name|line 1, column 2: .*without a name|json|[{"value":"x"}]'
    'an element that is none|line 1, column 2: an object|json|[1]'
)
for row in "${rows[@]}"; do
    IFS='|' read -r what where format text <<<"$row"
    # shellcheck disable=SC2059
    printf "$text" >damaged
    damaged "$what" "$where" --format "$format"
done
python3 -c 'print("{\"a\":" * 100000)' >damaged
damaged 'deep' 'line 1, column [0-9]+: nested too deeply' --format json
python3 -c 'print("{\"" + "k" * 600 + "\": 1}")' >damaged
damaged 'a long key' 'line 1, column 2: a key that is longer' --format json
printf '\377\376A\0=\0001\0' >damaged
kt import damaged
like 'UTF-16 is named' "$rc $err" '^21 .*UTF-16.*iconv'
is 'nothing was stored by any of these' "$(kt list; echo "$out")" "$before"

# ---- what is no file ----

kt import nosuch.env
like 'no such file' "$rc $err" '^1 .*nosuch.env: No such file'
mkdir folder
kt import folder
like 'a directory' "$rc $err" '^14 .*folder is a directory without .gpg-id'
kt import folder --format env
like 'a directory that is to be a .env' "$rc $err" '^1 .*folder: Is a directory'
ln -s .env link.env
kt import link.env
is 'a link is followed' "$rc" 11
ln -s loop loop
kt import loop
is 'a link to itself' "$rc" 1
mkfifo pipe
kt import pipe --timeout 100ms
like 'a pipe that nobody writes to' "$rc $err" '^8 .*nobody wrote to pipe'
printf 'PIPED=1\n' >pipe &
kt import pipe
is 'one that somebody writes to' "$rc $out" '0 PIPED: imported'
wait
kt import <(printf '{"PIPED":"1"}')
is "the shell's" "$rc $out" '0 PIPED: unchanged'
truncate -s 17M huge
kt import huge
like 'a huge file' "$rc $err" '^15 .*huge is over 16 MiB'
head -c 17000000 /dev/zero | kt import -
is 'a huge pipe' "$rc" 15
kt import /dev/zero
ok 'a device without an end' test "$rc" -eq 15
{ printf 'SMALL=1\nBIG='; head -c 65537 /dev/zero | tr '\0' x; } >big.env
kt import big.env
like 'a value over the limit: the others go on' "$rc $out" $'^15 SMALL: imported\nBIG: invalid: the value is over 65536 bytes$'
: >empty.env
kt import empty.env
like 'an empty file' "$rc $out$err" '^0 keyturn: empty.env \(env\): 0 imported'
kt import
like 'no source' "$rc $err" '^2 .*which file'
kt import x --format yaml
like 'a format that is not known' "$rc $err" '^2 .*none of env, json'
kt import .env --whole
is 'an option of another format' "$rc" 2

# ---- the store ----

service gone "read required file path=$TESTTMP/.env/s.db key=$TESTTMP/s.key" 'write required file'
kt -s gone import .env
like 'a store out of reach: tried once' "$rc $out" '^[0-9]+ DEEPSEEK_API_KEY: failed: unavailable: [^
]*$'
like 'the others are counted' "$err" '1 failed, 3 not tried'
service ro "read required file path=$TESTTMP/s.db key=$TESTTMP/s.key"
printf 'FRESH=1\nC=other\n' | kt -s ro import -
like 'a service that cannot be written' "$rc" '^22$'
service env "read required env file=$TESTTMP/kept.env name=%n" "write required env file=$TESTTMP/kept.env name=%n"
printf 'FRESH=1\nC=other\n' | kt -s env import -
is 'a store that cannot compare' "$rc $(sort kept.env)" "0 C=other
FRESH=1"
finish
