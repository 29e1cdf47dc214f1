#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyturn exec: what a program is given, and what it is given back; what bad input gets.
# shellcheck disable=SC2016,SC2317 # quoted programs are for the shell inside; functions are called by name
# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

service deepseek "read required file path=$TESTTMP/s.db key=$TESTTMP/s.key" 'write required file'
service other "read required file path=$TESTTMP/o.db key=$TESTTMP/s.key" 'write required file'
mkdir bin work data
cd work || exit 99

put()
{
    "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" -q "$@" >/dev/null || exit 99
}

printf old-value | put set deepseek/key
printf 'sk-value' | put set deepseek/key
printf 'of the other' | put -s other set deepseek/key
printf '{"user":"u\\n1","n":12}' | put set object
printf 'two\nlines\n' | put set lines
printf 'schl\303\274ssel \342\234\223 =#$`"'\' | put set utf8
printf 'a\0b' | put set nul
: | put set empty
head -c 65536 /dev/urandom >../data/big
put set big ../data/big
head -c 65536 /dev/zero | tr '\0' x >../data/text
put set text ../data/text

# ---- the environment ------------------------------------------------------------------------------

kt exec --env K=deepseek/key -- printenv K
is 'a name' "$rc $out$err" '0 sk-value'
kt exec --env K=keyturn:///deepseek/key -- printenv K
is 'a reference' "$rc $out$err" '0 sk-value'
kt -s other exec --env K=keyturn:///deepseek/key --env L=deepseek/key -- sh -c 'echo "$K/$L"'
is 'without a service -s says which' "$rc $out$err" '0 of the other/of the other'
kt exec --env K=keyturn://other/deepseek/key --env L=deepseek/key -- sh -c 'echo "$K/$L"'
is 'of two services' "$rc $out$err" '0 of the other/sk-value'
kt exec --env K=keyturn:///deepseek/key?stage=previous -- printenv K
is 'another stage' "$rc $out$err" '0 old-value'
version=$("$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" --json get deepseek/key --stage previous |
    sed 's/.*"version":"\([^"]*\)".*/\1/')
kt exec --env "K=deepseek/key?version=$version" -- printenv K
is 'one version' "$rc $out$err" '0 old-value'
kt exec --env 'A=object?field=user' --env 'B=object?field=n' -- sh -c 'echo "$A/$B"'
is 'fields of one object' "$rc $out$err" $'0 u\n1/12'
kt exec --env L=lines --env U=utf8 --env E=empty -- python3 -c '
import os
e = os.environb
print(e[b"L"] == b"two\nlines\n", e[b"U"] == "schlüssel ✓ =#$`\"\x27".encode(), e[b"E"] == b"")'
is 'newlines, UTF-8, nothing at all' "$rc $out$err" '0 True True True'
kt exec --env K=text -- sh -c 'printf %s "$K" | cmp - ../data/text'
is 'the largest value' "$rc $out$err" '0 '

env -i "PATH=$PATH" A=1 K=before B=2 KEYTURN_CONFIG_DIR="$KEYTURN_CONFIG_DIR" XDG_DATA_HOME=/x \
    LD_LIBRARY_PATH="$LD_LIBRARY_PATH" \
    "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" exec --env K=deepseek/key -- env >../out
is 'a variable of that name is replaced, all others stay' \
    "$(grep -v '^LD_LIBRARY_PATH\|^PATH' ../out | sort | tr '\n' ' ')" \
    "A=1 B=2 K=sk-value KEYTURN_CONFIG_DIR=$KEYTURN_CONFIG_DIR XDG_DATA_HOME=/x "
SECRETIVE=1 LC_TIME=C kt exec --clean --env K=deepseek/key -- env
like '--clean: the usual ones and the given' "$out" "(^|"$'\n'")K=sk-value"
like '--clean: PATH' "$out" "PATH="
like '--clean: LC_*' "$out" "LC_TIME=C"
unlike '--clean: nothing else' "$out" 'SECRETIVE|KEYTURN'

# ---- the program: found, run, ended ----------------------------------------------------------------

for code in 0 1 7 125 255; do
    kt exec --env K=deepseek/key -- sh -c "exit $code"
    is "exit code $code passes" "$rc$out$err" "$code"
done
kt exec --env K=deepseek/key -- sh -c 'kill -TERM $$'
is 'so does a signal' "$rc$out" 143
"$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" exec --env K=deepseek/key -- sh -c 'echo $$' >../out &
pid=$!
wait $pid
is 'keyturn becomes the program: same process' "$(<../out)" "$pid"
kt exec --env K=deepseek/key sh -c 'echo "$0 $*"' -v --json -- -q --help
is 'after the command come its own words' "$rc $out$err" '0 -v --json -- -q --help'
kt exec --env K=deepseek/key nosuch --json
is 'even --json' "$rc $out${err%%:*}" '127 keyturn'

echo 'echo "plain $K $1"' >../bin/plain
printf '#!/nosuch/interpreter\n' >../bin/astray
echo text >../bin/text
chmod 755 ../bin/plain ../bin/astray
printf 'PATH=%s:/usr/bin:/bin\nK=keyturn:///deepseek/key\n' "$TESTTMP/bin" >path.env
kt exec --env-file path.env -- plain 1
is 'a script without a first line, found in the PATH that the program gets' "$rc $out$err" \
    '0 plain sk-value 1'
kt exec --env K=deepseek/key -- no-such-program
is 'no such program: 127' "$rc $out" '127 '
is 'no such program: one line' "$err" 'keyturn: no-such-program: there is no such program in PATH'
kt exec --env K=deepseek/key -- ./nosuch
is 'no such path: 127' "$rc $err" '127 keyturn: ./nosuch: there is no such program'
kt exec --env K=deepseek/key -- ../bin/astray
like 'no interpreter: 127' "$rc $err" '^127 keyturn: ../bin/astray: the interpreter'
kt exec --env K=deepseek/key -- ../bin/text
is 'not executable: 126' "$rc $err" '126 keyturn: ../bin/text: it is not executable'
kt exec --env K=deepseek/key -- "$TESTTMP"
is 'a directory: 126' "$rc $err" "126 keyturn: $TESTTMP: it is a directory"
kt --json exec --env K=deepseek/key -- no-such-program
is 'the status is told with --json' \
    "$rc $(json "$TESTTMP/err" '[(r["status"], r["level"], r["name"]) for r in rows]')" \
    "127 [('not_found', 'error', 'no-such-program')]"

# ---- what keyturn changes in itself, the program does not see ---------------------------------------

export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}disable_coredump=0 # a sanitizer changes the limit, too
cat >../see.py <<'EOF'
import os, resource, signal
print(oct(os.umask(0)), resource.getrlimit(resource.RLIMIT_CORE))
print([l.strip() for l in open("/proc/self/status") if l.startswith(("SigB", "SigI", "Threads"))])
def there(fd):
    try:
        return os.readlink(f"/proc/self/fd/{fd}").partition(":")[0]
    except OSError:
        return None
print([(fd, there(fd)) for fd in range(64) if there(fd) and not there(fd).endswith("/see")])
EOF
see()
{
    # python turns SIGPIPE off itself: sh shows what it was given
    "$@" sh -c 'grep "^SigIgn" /proc/$$/status; exec python3 -S -E ../see.py' 8>../see
}
same()
{
    local what=$1 plain given
    shift
    plain=$("$@" see env)
    given=$("$@" see "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" exec --env K=deepseek/key --)
    is "$what" "$given" "$plain"
}
plainly() { "$@" 2>../err; }
strangely()
{
    (
        umask 027
        ulimit -Sc 8
        trap '' PIPE INT USR2 CHLD
        "$@" 5<../data/big 9>../nine 2>../err
    )
}
closed() { "$@" <&- 2>&-; }
same 'umask, signals, core limit, descriptors: as given' plainly
same 'umask, signals, core limit, descriptors: strange ones' strangely
same 'standard input and error closed: they stay so' closed
"$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" exec --env K=deepseek/key -- \
    sh -c 'echo x' >&- 2>../err
is 'standard output closed: so it is for the program' "$(grep -c 'file descriptor\|I/O error' ../err)" 1
is 'standard input is the program'\''s' \
    "$(printf 'in\n' | "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" exec --env K=deepseek/key cat)" in
kt exec --env K=deepseek/key --file F=lines -- sh -c 'tr "\0" " " </proc/$$/cmdline'
unlike 'no value is an argument' "$out" 'sk-value|two'

# ---- files in memory, descriptors -------------------------------------------------------------------

kt exec --file F=big -- sh -c 'cmp "$F" ../data/big && cmp "$F" ../data/big && sh -c "cmp \$F ../data/big"'
is '--file: whole, again, and for a grandchild' "$rc $out$err" '0 '
kt exec --file F=big -- python3 -c '
import os, subprocess
r = subprocess.run(["cmp", os.environ["F"], "../data/big"], close_fds=True)
raise SystemExit(r.returncode)'
is '--file: for a child that begins with its descriptors closed' "$rc $out$err" '0 '
kt exec --file F=nul --file E=empty -- sh -c 'stat -L -c "%a %s" "$F" "$E"; head -c 3 "$F" | od -An -c'
is '--file: NUL bytes, nothing, mode 0400' "$rc $out$err" $'0 400 3\n400 0\n   a  \\0   b'
kt exec --file F=lines -- python3 -c '
import os
try:
    os.write(os.open(os.environ["F"], os.O_RDWR), b"x")
except OSError as e:
    print(open(os.environ["F"], "rb").read())'
is '--file: cannot be written, not even by root' "$rc $out$err" "0 b'two\\nlines\\n'"
kt exec --fd 7=lines --fd 20=deepseek/key -- bash -c 'cat <&7; cat <&20; [ -z "$(cat <&7)" ]'
is '--fd: read to its end' "$rc $out$err" $'0 two\nlines\nsk-value'
kt exec --fd 0=lines -- cat
is '--fd 0: standard input' "$rc $out$err" $'0 two\nlines'
kt exec --fd 10=deepseek/key --fd 11=lines --fd 12=utf8 --file F=object --file G=empty -- \
    bash -c 'cat <&10; cat <&11; cat "$F"; stat -L -c %s "$G"'
is '--fd: numbers that keyturn would have taken' "$rc $out$err" \
    $'0 sk-valuetwo\nlines\n{"user":"u\\n1","n":12}0'
for n in 1 2 -1 x 7x '' 1048577 99999999999; do
    kt exec --fd "$n=lines" -- touch ran
    is "--fd '$n': refused" "$rc $out$(wc -l <"$TESTTMP/err")$(ls ran 2>/dev/null)" '125 1'
done
(ulimit -n 40 && kt exec --fd 50=lines -- true
    like '--fd over the limit' "$rc $err" '^125 keyturn: descriptor 50 .*ulimit'
    echo "$tests" >../tests)
tests=$(<../tests)

# ---- what an environment cannot hold ----------------------------------------------------------------

kt exec --env K=nul -- touch ran
is 'a NUL byte: nothing runs' "$rc $out$(ls ran 2>/dev/null)" '125 '
like 'a NUL byte: the remedy' "$err" '^keyturn: K: .*NUL.*--file K='
kt --json exec --env K=nul -- true
is 'a NUL byte: invalid' "$(json "$TESTTMP/err" 'rows[0]["status"]')" invalid

printf 'K="%s"\n' "$(head -c 131069 /dev/zero | tr '\0' x)" >edge.env # with name, = and NUL 128 KiB
kt exec --env-file edge.env -- sh -c 'echo ${#K}'
is 'a variable of 128 KiB' "$rc $out$err" '0 131069'
printf 'K="%s"\n' "$(head -c 131070 /dev/zero | tr '\0' x)" >edge.env
kt --json exec --env-file edge.env -- touch ran
is 'one byte more: too_large' "$rc $(json "$TESTTMP/err" 'rows[0]["status"]')$(ls ran 2>/dev/null)" \
    '125 too_large'
like 'one byte more: the remedy' "$(<"$TESTTMP/err")" '131073 bytes.*131072.*--file K='
(
    ulimit -S -s 1024 || exit 0 # a quarter of it is for arguments and environment
    kt exec --env A=text --env B=text --env C=text -- sh -c 'echo ${#C}'
    is 'a sum that fits' "$rc $out$err" '0 65536'
    kt --json exec --env A=text --env B=text --env C=text --env D=text -- touch ran
    is 'a sum that does not' "$rc $(json "$TESTTMP/err" 'rows[0]["status"]')$(ls ran 2>/dev/null)" \
        '125 too_large'
    like 'a sum that does not: the remedy' "$(<"$TESTTMP/err")" 'at most 262144.*--file'
    kt exec --env A=text --env B=text --env C=text --file D=text -- sh -c 'cmp "$D" ../data/text'
    is 'with the remedy it does' "$rc $out$err" '0 '
    echo "$tests" >../tests
)
tests=$(<../tests)

# ---- words that are wrong ---------------------------------------------------------------------------

refused()
{
    local what=$1 pattern=$2
    shift 2
    kt exec "$@" -- touch ran
    is "$what: 125, and nothing runs" "$rc$out$(ls ran 2>/dev/null)" 125
    like "$what: one line" "$(wc -l <"$TESTTMP/err") $err" "^1 keyturn: .*$pattern"
}
for name in 1A A-B 'A B' A.B $'A\nB' Ä; do
    refused "variable ${name@Q}" 'no name of a variable' --env "$name=lines"
done
refused 'no reference' 'written --env VAR=NAME' --env K
refused 'no variable' 'written --env VAR=NAME' --env =lines
refused 'given twice' 'given twice' --env K=lines --env K=utf8
refused 'given twice, as value and file' 'given twice' --env K=lines --file K=lines
refused 'a descriptor given twice' 'given twice' --fd 5=lines --fd 5=lines
refused 'an unknown secret' "nosuch: .*no secret" --env K=nosuch
refused 'one unknown among many' "nosuch: .*no secret" --env A=lines --env K=nosuch --env B=utf8
refused 'an unknown field' "object.*no member 'x'" --env 'K=object?field=x'
refused 'no object' "lines.*no JSON object" --env 'K=lines?field=x'
service broken 'read sometimes file'
refused 'a broken service' "broken:1.*sometimes" --env K=keyturn://broken/x
refused 'a bad name' "a//b" --env K=a//b
refused 'a bad reference' "is no reference" --env K=keyturn://lines
refused 'a bad stage' "is no reference.*stage" --env 'K=lines?stage=last'
refused 'an unknown option' "unknown option" --evn K=lines
refused '--signal alone' "watch" --env K=lines --signal HUP
mkdir none
refused 'files renewed in two ways' "exclude each other" --file F=lines --mount none/f=lines --watch --signal HUP
refused 'no such signal' "no signal" --env K=lines --watch --signal NOPE
refused 'no such duration' "no duration" --env K=lines --watch --every soon
refused 'nothing given' "nothing to give"
kt exec
is 'no command' "$rc $out$(wc -l <"$TESTTMP/err")" '125 1'
kt exec --env K=lines -- ''
is 'a command without a name' "$rc $out$(wc -l <"$TESTTMP/err")" '125 1'
service away 'read required debug get=unavailable'
kt --json -s away exec --env K=lines -- touch ran
is 'could not ask is told as such' "$rc $(json "$TESTTMP/err" 'rows[0]["status"]')$(ls ran 2>/dev/null)" \
    '125 unavailable'

# ---- files of references ------------------------------------------------------------------------------

cat >.env.keyturn <<'EOF'
# what the program needs
export KEY=keyturn:///deepseek/key   # a reference
QUOTED="keyturn:///object?field=user"
URL='https://api.example.com/v1'
EMPTY=
EOF
show='echo "$KEY|$QUOTED|$URL|${EMPTY-unset}|$K"'
kt exec -- sh -c "$show"
is 'here, if nothing else is given' "$rc $out$err" $'0 sk-value|u\n1|https://api.example.com/v1||'
kt exec --env K=deepseek/key -- sh -c "$show"
is 'not if something is' "$rc $out$err" '0 |||unset|sk-value'
mkdir -p sub && cd sub || exit 99
kt exec --env-file ../.env.keyturn --env KEY=utf8 --env K=deepseek/key -- sh -c "$show"
is 'named, and the command line says more than the file' "$rc $out$err" \
    "0 schlüssel ✓ =#\$\`\"'|u"$'\n'"1|https://api.example.com/v1||sk-value"
refused 'not from a directory above' 'nothing to give'
cd .. || exit 99
kt exec --env-file <(cat .env.keyturn) -- printenv KEY
is 'from a pipe' "$rc $out$err" '0 sk-value'
chmod 666 .env.keyturn
refused 'here, but anybody could have written it' "others can write it"
kt exec --env-file .env.keyturn -- printenv KEY
is 'named, it is read all the same' "$rc $out$err" '0 sk-value'
mv .env.keyturn real && chmod 644 real && ln -s real .env.keyturn
refused 'here, but a link' "env.keyturn"
rm .env.keyturn && mkfifo .env.keyturn
refused 'here, but a pipe' "no file"
rm .env.keyturn && mkdir .env.keyturn
refused 'here, but a directory' "no file"
rmdir .env.keyturn
if [ "$(id -u)" -eq 0 ]; then
    cp real .env.keyturn && chown 12345 .env.keyturn
    refused 'here, but somebody else'\''s' "somebody else"
    rm .env.keyturn
fi
printf 'A=1\nB=keyturn:///lines\nA=2\n' >f.env
refused 'assigned twice' 'f.env:3: A is given twice, first by f.env:1' --env-file f.env
printf 'A=1\n\nno assignment\n' >f.env
refused 'damaged' 'f.env:3: no assignment' --env-file f.env
printf 'A=1\nB=\0\n' >f.env
refused 'a NUL byte in it' 'f.env:2: no assignment' --env-file f.env
printf 'A=1\n\nB=keyturn:lines\n' >f.env
refused 'a bad reference in it' "f.env:3: .*is no reference" --env-file f.env
printf 'A=1\nB=keyturn:///nosuch\n' >f.env
refused 'an unknown secret in it' "nosuch: .*no secret" --env-file f.env
printf 'A=1\nB.C=2\n' >f.env
refused 'a name that is no variable' "f.env:2: .*no name of a variable" --env-file f.env
refused 'no such file' "none.env: No such file" --env-file none.env
{ head -c 1048570 /dev/zero | tr '\0' '#'; printf '\nA=1\n'; } >f.env
kt exec --env-file f.env -- printenv A
is 'of 1 MiB' "$rc $out$err" '0 1'
echo '#' >>f.env
refused 'over 1 MiB' "over 1048576 bytes" --env-file f.env
printf 'A=1' >f.env
printf 'K=keyturn:///lines\r\n' >g.env
kt exec --env-file f.env --env-file g.env -- sh -c 'echo "$A $K"'
is 'two of them; no last newline; CR LF' "$rc $out$err" $'0 1 two\nlines'
: >f.env
kt exec --env-file f.env -- echo ran
is 'an empty one' "$rc $out$err" '0 ran'

# ---- many --------------------------------------------------------------------------

for i in {1..300}; do
    printf 'value %d' "$i" | put set "many/$i"
    echo "V$i=keyturn:///many/$i"
done >many.env
kt exec --env-file many.env -- sh -c 'echo "$V1 $V150 $V300"'
is '300 references' "$rc $out$err" '0 value 1 value 150 value 300'
finish
