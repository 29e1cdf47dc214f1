#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyturn render: what comes out, byte for byte; files that are whole or old; watching.
# shellcheck disable=SC2016,SC2317 # what is in quotes is meant as it is; ok() calls functions
# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

service deepseek "read required env file=$TESTTMP/values.env name=%b" 'write required env'
service web "read required env file=$TESTTMP/web.env name=%b"
printf 'A=one\nB="two \\"lines\\"\\n\\tand $more"\nE=\nJ={"k":"membér","n":7}\n' >values.env
printf 'A=web\n' >web.env
printf 'old' >out.conf

# ---- what is replaced, and what is not ----

# renders WHAT TEMPLATE WANTED: both as printf formats
renders()
{
    # shellcheck disable=SC2059 # a format
    printf "$2" >template
    # shellcheck disable=SC2059
    printf "$3" >wanted
    kt render template
    ok "$1" cmp out wanted
    is "$1: exit 0, silence" "$rc $err" '0 '
}
renders 'nothing to replace' 'a\nb' 'a\nb'
renders 'nothing at all' '' ''
renders 'a value' 'a={{ keyturn:///A }}\n' 'a=one\n'
renders 'with no blanks, and with many' '{{keyturn:///A}}{{ \t keyturn:///A\t }}' 'oneone'
renders 'a name of parts' '{{ keyturn:///deepseek/A }}' one
renders 'of another service' '{{ keyturn://web/A }} {{ keyturn:///A }}' 'web one'
renders 'as it is' '"{{ keyturn:///B }}"' '"two "lines"\n\tand $more"'
renders 'an empty value' '[{{ keyturn:///E }}]' '[]'
renders 'a member' '{{ keyturn:///J?field=k }}{{ keyturn:///J?field=n }}' 'membér7'
renders 'other braces stay' '{{ A }} {%% keyturn:///A %%} { { keyturn:///A } } {{{{ .keyturn: }} ${A} {{-keyturn:///A}}' \
    '{{ A }} {%% keyturn:///A %%} { { keyturn:///A } } {{{{ .keyturn: }} ${A} {{-keyturn:///A}}'
renders 'braces around braces' '{{{ keyturn:///A }}}' '{one}'
renders 'bytes that are no text' '\0\377{{ keyturn:///A }}\0\r\n\200{{' '\0\377one\0\r\n\200{{'
renders 'the end of the text' '{' '{'
renders 'base64' '{{ keyturn:///B?encode=base64 }}' 'dHdvICJsaW5lcyIKCWFuZCAkbW9yZQ=='
renders 'JSON' '"{{ keyturn:///B?encode=json }}"' '"two \\"lines\\"\\n\\tand $more"'
renders 'a part of a URI' '{{ keyturn:///B?encode=uri }}' 'two%%20%%22lines%%22%%0A%%09and%%20%%24more'
renders 'encoded and not, with a member' \
    '{{ keyturn:///J?encode=uri&field=k }}{{ keyturn:///J?field=k&encode=base64 }}{{ keyturn:///J?field=k }}' \
    'memb%%C3%%A9rbWVtYsOpcg==membér'
python3 -c '
import os, sys
os.write(1, b"V=\"" + bytes(c for c in range(1, 256) if c not in b"\"\\$\r\n") * 40 + b"\"\n")' >web.env
{ head -c 100000 /dev/zero; printf '{{ keyturn://web/V?encode=base64 }}'; } >template
kt render template
ok 'all bytes, far into a large template' test "$(tail -c +100001 out | base64 -d | sha256sum)" = \
    "$(head -c -2 web.env | tail -c +4 | sha256sum)"
printf 'A=web\n' >web.env
printf '{{ keyturn:///A }}' >template
kt render - <template
is 'from standard input' "$rc $out" '0 one'
kt render template -o -
is 'to standard output, asked for' "$rc $out" '0 one'

# ---- files ----

# file WHAT [MODE CONTENT]: out.conf is so
file()
{
    is "$1" "$(stat -c %a out.conf) $(<out.conf)" "$2 $3"
}
# No file is left beside it.
alone()
{
    is "$1: nothing beside it" "$(find . -maxdepth 1 -name '.*keyturn*' | wc -l)" 0
}
chmod 644 out.conf
kt render template --output out.conf
is 'a file: what was done' "$rc $out" '0 out.conf: written'
like 'its mode is told, if that was wider' "$err" '^keyturn: warning: out.conf: mode 644 becomes 600'
file 'its mode and content' 600 one
alone 'a file'
before=$(stat -c '%i %y' out.conf)
kt render template -o out.conf
is 'the same again: untouched' "$rc $out $(stat -c '%i %y' out.conf)" \
    "0 out.conf: unchanged $before"
chmod 400 out.conf
printf '+{{ keyturn:///A }}' >template
kt --json render template -o out.conf
is 'as an object' "$(json out rows)" "[{'name': 'out.conf', 'result': 'written'}]"
file 'a mode that is not wider stays' 400 +one
kt -q render template -o out.conf --mode 0640
is 'in silence' "$rc $out$err" '0 '
file 'a mode that was asked for' 640 +one
kt -q render template -o out.conf
file 'is not kept where it is not asked for' 600 +one
rm out.conf
(umask 0; exec "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" -q render template -o out.conf)
file 'a new file, whatever the umask' 600 +one
mkdir there
kt render template -o there/out.conf
is 'in another directory' "$rc $(<there/out.conf)" '0 +one'
ln -s there/out.conf link
ln -s ../link there/link
printf -- '-{{ keyturn:///A }}' >template
kt render template -o there/link
is 'a link stays one, and what it leads to is written' \
    "$rc $(readlink there/link) $(readlink link) $(<there/out.conf)" '0 ../link there/out.conf -one'
rm there/out.conf
kt render template -o link
is 'also where nothing is yet' "$rc $(readlink link) $(<there/out.conf)" '0 there/out.conf -one'
printf 'A' >second
kt render template second -o out.conf -o second.out
is 'two at once' "$rc $(<out.conf) $(<second.out)" '0 -one A'
name=$(printf 'n%.0s' {1..255})
printf x >"$name"
kt -q render template -o "$name"
is 'as long a name as can be' "$rc $(<"$name")" '0 -one'
rm "$name"
if [ "$(id -u)" -eq 0 ]; then
    chown 65533:65534 out.conf
    printf '={{ keyturn:///A }}' >template
    kt render template -o out.conf --mode 640
    is 'owner and group stay' "$(stat -c '%u:%g %a' out.conf) $(<out.conf)" '65533:65534 640 =one'
    ln -s "$TESTTMP/out.conf" theirs
    chown -h 65533 theirs
    kt render second -o theirs
    like "another user's link is not followed" "$rc $err $(<out.conf)" \
        '^4 .*theirs: .*belongs to another user =one$'
    chown 0:0 out.conf
fi

# ---- what is refused, with nothing written ----

# refuses WHAT TEMPLATE CODE WORDS
printf 'old' >out.conf
chmod 600 out.conf
refuses()
{
    # shellcheck disable=SC2059
    printf "$2" >template
    kt render second template -o second.out -o out.conf
    like "$1" "$rc $out $err" "^$3  keyturn: $4"
    is "$1: one line, nothing written" "$(wc -l <err) $(<out.conf) $(<second.out)" '1 old old'
}
printf 'old' >second.out
chmod 600 second.out
refuses 'not closed' 'ab\n {{ keyturn:///A }\n}}' 14 'template:2:2: .*is missing'
refuses 'closed on another line' '{{ keyturn:///A\n}}' 14 'template:1:1: '
refuses 'not closed at the end' '\n\n{{keyturn:' 14 'template:3:1: '
refuses 'no reference' 'a {{ keyturn://A }}' 14 'template:1:3: .*keyturn:///NAME'
refuses 'no name' '{{ keyturn:///a b }}' 14 'template:1:1: '
refuses 'a NUL byte' '{{ keyturn:///a\0b }}' 14 'template:1:1: .*NUL'
refuses 'a parameter that is none' '{{ keyturn:///A?foo=1 }}' 14 'template:1:1: '
refuses 'an encoding that is none' '{{ keyturn:///A?encode=hex }}' 14 'template:1:1: .*base64'
refuses 'two encodings' '{{ keyturn:///A?encode=uri&encode=json }}' 14 'template:1:1: .*twice'
refuses 'no such secret' '{{ keyturn:///A }}\n  {{ keyturn:///a/N }}' 3 'template:2:3: keyturn:///a/N: '
refuses 'no such member' '{{ keyturn:///J?field=x }}' 3 "template:1:1: .*no member 'x'"
printf 'L=a\200b\n' >web.env
refuses 'bytes that JSON cannot hold' '.{{ keyturn://web/L?encode=json }}' 14 'template:1:2: .*base64'
printf 'L="a\n' >web.env
refuses 'a store that is damaged' '{{ keyturn://web/L }}' 21 'template:1:1: '
chmod 000 web.env
service gone 'read required debug get=unavailable'
refuses 'a store that cannot be asked' '{{ keyturn:///A }}{{ keyturn://gone/A }}' 6 'template:1:19: '
service wrong 'read what'
refuses 'a service that is wrong' '{{ keyturn://wrong/A }}' 26 'template:1:1: .*wrong:1'
head -c 17000000 /dev/zero >template
kt render template -o out.conf
is 'too large a template' "$rc $(<out.conf)" '15 old'

printf '{{ keyturn:///A }}' >template
kt render nosuch -o out.conf
is 'no template' "$rc $(<out.conf)" '1 old'
kt render template -o nodir/out.conf
is 'no directory' "$rc" 1
kt render template -o there
is 'a directory' "$rc" 14
kt render template -o there/
is 'a directory, plainly' "$rc" 1
kt render template -o /dev/null
like 'no regular file' "$rc $err" '^14 .*/dev/null: is not a regular file'
kt render template -o template
is 'the template itself' "$rc $(<template)" '2 {{ keyturn:///A }}'
ln -s loop loop
kt render template -o loop
is 'a link that leads to itself' "$rc" 1
for wrong in 'template second' 'template second -o a' 'template -o a -o b' 'template --mode 99 -o a' \
    'template --watch' 'template --run true' 'template -o a --every 1s' '- - -o a -o b' \
    'template second -o a -o a' 'template --mode 0640'; do
    # shellcheck disable=SC2086 # words
    kt render $wrong </dev/null
    is "usage: $wrong" "$rc $(wc -l <err)" '2 1'
done
ok 'nothing was made by it' test ! -e a -a ! -e b
printf '%q ' "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" render template >typed
TERM=dumb script -qec "sh typed" /dev/null </dev/null >shown 2>&1
like 'a terminal is not shown secrets' "$(<shown)" 'terminal'
unlike 'a terminal is not shown secrets' "$(<shown)" 'one'
echo ' -o -' >>typed
TERM=dumb script -qec "tr -d '\n' <typed | sh" /dev/null </dev/null >shown 2>&1
is 'unless asked' "$(<shown)" one
"$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" render template >/dev/full 2>err
like 'a full standard output' "$? $(<err)" '^1 .*No space'

# ---- what is in the way ----

printf 'new {{ keyturn:///A }}\n%s' "$(head -c 20000 /dev/zero | tr '\0' x)" >template
(ulimit -f 8; trap '' XFSZ; exec "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" render template -o out.conf) >out 2>err
is 'no room' "$? $(wc -l <err) $(<out.conf)" '1 1 old'
alone 'no room'
if [ "$(id -u)" -ne 0 ]; then
    mkdir locked
    printf old >locked/out.conf
    chmod 500 locked
    kt render template -o locked/out.conf
    like 'a directory that cannot be written' "$rc $err $(<locked/out.conf)" '^1 .*Permission denied old$'
    chmod 700 locked
elif unshare -m true 2>/dev/null; then
    mkdir disk
    unshare -m sh -c 'mount -t tmpfs -o size=64k none disk && printf old >disk/out.conf && chmod 600 disk/out.conf &&
        head -c 57344 /dev/zero >disk/filler
        "$@"; echo "$? $(cat disk/out.conf) $(ls -A disk | tr "\n" " ")" >said
        rm disk/filler; mount -o remount,ro disk; "$@"; echo "$? $(cat disk/out.conf)" >>said' sh \
        "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" render template -o disk/out.conf >out 2>err
    if [ -s said ]; then
        is 'a full disk, and one that is read-only' "$(<said)" $'1 old filler out.conf \n1 old'
        like 'in words' "$(<err)" $'No space left on device\n.*Read-only file system'
    fi
fi

# What somebody left who was killed is cleared away; what somebody is at is waited for.
printf 'left' >.out.conf.keyturn-new
kt -q render template -o out.conf
is 'what was left there' "$rc $(head -c 7 out.conf)" '0 new one'
alone 'what was left there'
printf '{{ keyturn:///A }}' >template
printf 'theirs' >.out.conf.keyturn-new
exec 9<.out.conf.keyturn-new
flock 9
kt --timeout 100ms render template -o out.conf
like 'what somebody holds' "$rc $err $(head -c 7 out.conf)" '^1 .*out.conf: .*busy new one$'
exec 9<&-
kt -q render template -o out.conf
is 'until it is let go' "$rc $(<out.conf)" '0 one'

# ---- --run ----

kt render template -o out.conf --run 'echo ran >>ran'
is '--run: not if nothing changed' "$rc $out $(cat ran 2>/dev/null)" '0 out.conf: unchanged '
printf '{{ keyturn:///A }}.' >template
(umask 027; exec "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" -q render template -o out.conf \
    --run 'cat out.conf >>ran; umask >>ran')
is '--run: when a file has changed, as if the shell had run it' "$? $(<ran)" '0 one.0027'
printf '{{ keyturn:///A }}!' >template
kt render template -o out.conf --run 'exit 3'
like '--run: a command that fails' "$rc $err $(<out.conf)" '^1 .*ended with exit code 3 one!$'

# ---- --watch ----

# until_is FILE CONTENT: for a minute, or as long as the watch runs
until_is()
{
    for _ in {1..1200}; do
        [ "$(cat "$1" 2>/dev/null)" = "$2" ] && return 0
        kill -0 "$watch" 2>/dev/null || break
        sleep 0.05
    done
    return 1
}
rm -f ran
printf '{{ keyturn:///A }}' >template
"$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" render template -o out.conf --watch --every 100ms \
    --run 'cat out.conf >>ran; echo >>ran' >watched 2>watched.err &
watch=$!
ok '--watch: first as without' until_is out.conf one
printf 'A=two\n' >values.new && mv values.new values.env
ok '--watch: a change' until_is out.conf two
ok '--watch: the command is run each time' until_is ran $'one\ntwo'
printf 'A="broken\n' >values.new && mv values.new values.env
for _ in {1..1200}; do [ -s watched.err ] && break; sleep 0.05; done
sleep 0.5 # for a second time, which there shall not be
like '--watch: a store that cannot be asked is told, once' "$(<watched.err)" '^keyturn: warning: the files stay as they are: [^'$'\n'']*$'
is '--watch: the file stays' "$(<out.conf)" two
printf 'A=three\n' >values.new && mv values.new values.env
ok '--watch: until it can be asked again' until_is out.conf three
kill "$watch"
wait "$watch"
is '--watch: a signal ends it' $? 143
is '--watch: what was done' "$(<watched)" $'out.conf: written\nout.conf: written\nout.conf: written'
alone '--watch'

# ---- killed ----

# At each system call from where it begins to write: the old file, or the new one, and nothing beside it.
mkdir killed
printf 'A=fresh\n' >values.env
printf old >killed/out.conf
chmod 600 killed/out.conf
render=("$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" -q render template -o killed/out.conf)
# a sanitizer's look for leaks would trace, too
traced()
{
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 strace "$@"
}
if traced -o trace "${render[@]}" 2>/dev/null; then
    # "NAME N" of each: its Nth call
    sed -n 's/^\([a-z0-9_]*\)(.*/\1/p' trace | awk '{ print $1, ++n[$1] }' >calls
    from=$(grep '^[a-z0-9_]*(' trace | grep -n O_TMPFILE | head -n 1 | cut -d: -f1)
    bad=0 kills=0
    while read -r name n; do
        printf old >killed/out.conf
        (traced -o /dev/null -e inject="$name:signal=KILL:when=$n" "${render[@]}"; exit $?) >/dev/null 2>&1
        [ $? -eq 137 ] && kills=$((kills + 1))
        for _ in {1..200}; do # the last steps are a child's, which may still be at them
            [ "$(ls -A killed)" = out.conf ] && break
            sleep 0.05
        done
        case $(ls -A killed):$(<killed/out.conf) in
        out.conf:old | out.conf:fresh) ;;
        *) bad=$((bad + 1)) && echo "# killed at $name $n: $(ls -A killed)" ;;
        esac
    done < <(tail -n "+$from" calls)
    n=$(tail -n "+$from" calls | sed -n 's/^openat //p' | head -n 1)
    for kill in '' yes; do
        printf old >killed/out.conf
        (traced -o /dev/null -e inject="openat:error=EOPNOTSUPP:when=$n" \
            ${kill:+-e inject=fsync:signal=KILL:when=1} "${render[@]}"; exit $?) >/dev/null 2>&1
        is "no files without a name${kill:+, and killed}" \
            "$(find killed -type f | wc -l) $(<killed/out.conf)" "$([ "$kill" ] && echo '2 old' || echo '1 fresh')"
        "${render[@]}" >/dev/null
        is "and then" "$(ls -A killed) $(<killed/out.conf)" 'out.conf fresh'
    done
    is 'killed wherever it is' "$bad" 0
    ok 'which was often' test "$kills" -gt 8
else
    tests=$((tests + 1))
    echo "ok $tests - killed wherever it is # SKIP strace cannot be used here"
fi

finish
