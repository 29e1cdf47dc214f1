#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyring at GNOME Keyring: what keyturn stores others find and the other way round, any byte comes back,
# after a restart too, and what belongs to others stays as it is.

# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"
# shellcheck source=tests/secret-service.sh
. "$srcdir/tests/secret-service.sh"
needs_packages gnome-keyring-daemon:gnome-keyring secret-tool:libsecret-tools

peer=${builddir:?}/tests/keyring-peer
login=$secrets_path/collection/login
service deepseek 'read required keyring' 'write required keyring'
bus_start
gnome_start pw

# ---- what belongs to others ----------------------------------------------------------------------

# foreign LABEL [NAME VALUE]...: the daemon adds the schema if there is none, at its next start
foreign()
{
    printf 'not ours' | "$peer" item "$login" "$1" text/plain xdg:schema org.example.Else "${@:2}"
}

foreign 'another program' user me server example.com
foreign 'another service of ours' service openai name a
foreign 'a name without a service' name a
foreign 'a service without a name' service deepseek
foreign 'another schema' service deepseek name wide account 7
others='another|a name without|a service without'
"$peer" items "$login" | grep -E "^($others)" >others.before
is 'others have items' "$(wc -l <others.before)" 5

# ---- both ways -----------------------------------------------------------------------------------

# lookup NAME: as any program does that knows the name
lookup()
{
    secret-tool lookup service deepseek name "$1"
}

# matches NAME: how many items such a program may find
matches()
{
    "$peer" items "$login" | grep -vE "^($others)" | grep -P "\tname=$1(\t|$)" |
        grep -cP '\tservice=deepseek(\t|$)'
}

printf sk-first | kt set deepseek/api-key
is 'set' "$rc" 0
is 'secret-tool finds what keyturn stored' "$(lookup deepseek/api-key)" sk-first
printf sk-second | kt set deepseek/api-key
is 'and the new value after a second set' "$(lookup deepseek/api-key)" sk-second
printf sk-third | kt set deepseek/api-key --stage pending
is 'and no pending one' "$(lookup deepseek/api-key)" sk-second
is 'for there is one item to be found' "$(matches deepseek/api-key)" 1
like 'whose label a person understands' "$("$peer" items "$login")" \
    $'(^|\n)[^\t]*deepseek/api-key[^\t]*\t[^\n]*service=deepseek'
kt get deepseek/api-key --stage previous
is 'the previous one is still there' "$out" sk-first
kt get deepseek/api-key --stage pending
is 'so is the pending one' "$out" sk-third
kt versions deepseek/api-key
is 'they are three' "$(wc -l <"$TESTTMP/out")" 3
kt --json versions deepseek/api-key
pending=$(json "$TESTTMP/out" '[r["version"] for r in rows if "pending" in r["stages"]][0]')
first=$(json "$TESTTMP/out" '[r["version"] for r in rows if "previous" in r["stages"]][0]')
kt stage deepseek/api-key "$pending" current
is 'promoting' "$rc" 0
is 'secret-tool finds the promoted one' "$(lookup deepseek/api-key)" sk-third
is 'and that alone' "$(matches deepseek/api-key)" 1
kt stage deepseek/api-key "$first" current
is 'going back' "$(lookup deepseek/api-key)" sk-first
kt set deepseek/api-key --expect "$pending" < <(printf lost)
is 'a version that is not current any more is not replaced' "$rc" 11
kt set deepseek/api-key --expect none < <(printf lost)
is 'nor is a secret made that is there' "$rc" 11
kt delete deepseek/api-key --version "$pending"
is 'a version is destroyed' "$rc" 0
kt get deepseek/api-key --version "$pending"
unlike 'and given no more' "$rc $out" '^0|sk-'
is 'nor found in the keyring' "$(secret-tool search --all --unlock version "$pending" 2>/dev/null |
    grep -c sk-third)" 0
kt delete deepseek/api-key
is 'deleted' "$rc" 0
kt get deepseek/api-key
is 'it is gone' "$rc" 3
lookup deepseek/api-key
is 'for others too' $? 1
is 'with all that was its' "$("$peer" items "$login" | grep -c api-key)" 0

printf sk-theirs | secret-tool store --label='a key of mine' service deepseek name theirs
kt get theirs
is 'keyturn finds what secret-tool stored' "$rc $out" '0 sk-theirs'
kt --json get theirs
like 'and says that it was somebody else' "$(json "$TESTTMP/out" 'rows[0]["version"]')" '^keyring:'
kt list
like 'and lists it' "$out" 'theirs'
kt --json get theirs
id=$(json "$TESTTMP/out" 'rows[0]["version"]')
printf sk-ours | kt set theirs
is 'a set does not replace what somebody else made' "$rc $(lookup theirs)" '12 sk-theirs'
printf sk-ours | kt set theirs --expect "$id"
is 'but when it is named' "$rc" 0
is 'is what both find: keyturn' "$(kt get theirs && echo "$out")" sk-ours
is 'and secret-tool' "$(lookup theirs)" sk-ours
printf sk-again | secret-tool store --label='again' service deepseek name theirs
is 'what secret-tool stores over ours it finds' "$(lookup theirs)" sk-again
is 'and keyturn does, too' "$(kt get theirs && echo "$out")" sk-again
kt delete theirs
is 'a delete does not remove what somebody else made' "$rc $(lookup theirs)" '4 sk-again'
kt --json get theirs
kt delete theirs --version "$(json "$TESTTMP/out" 'rows[0]["version"]')"
is 'but when it is named' "$rc" 0
is 'and nothing is left, for it was written over ours: keyturn' "$(kt get theirs; echo "$rc")" 3
is 'and secret-tool' "$(lookup theirs; echo $?)" 1

kt get a
is 'items with but one of the attributes are not ours' "$rc" 3
kt get wide
is 'one with more of them is found, as secret-tool finds it' "$rc $out" "0 $(lookup wide)"
printf lost | kt set wide
is 'and not replaced' "$rc $(lookup wide)" '12 not ours'

service theirs 'read required keyring attributes=user:me,server:%n'
kt -s theirs get example.com
is 'items of others are found by the attributes that the line names' "$rc $out" '0 not ours'
kt -s theirs get example.org
is 'or not' "$rc" 3
service theirs 'read required keyring attributes=user:me,server:%n' 'write required keyring'
printf lost | kt -s theirs set example.com
unlike 'but not written' "$rc" '^0$'
is 'indeed' "$(secret-tool lookup user me server example.com)" 'not ours'

# ---- what a version has --------------------------------------------------------------------------

printf v | kt set tagged --attr account=a1 --attr 'note=two words, =' --expires 2099-01-02T03:04:05Z
kt --json get tagged
is 'attributes and expiry are kept' "$(json "$TESTTMP/out" \
    'rows[0]["attributes"]["account"], rows[0]["attributes"]["note"], rows[0]["expires"]')" \
    "('a1', 'two words, =', '2099-01-02T03:04:05.000Z')"
kt delete tagged

# ---- any byte, and a restart ---------------------------------------------------------------------

mkdir values
printf 'line one\nline two\n' >values/newline
printf '[2]\nsecret=injected\nitem-type=0\n' >values/section
printf 'a\0b\0' >values/nul
printf '\r\n\t\v\f\033' >values/control
printf '\303\050 \377\376' >values/not-utf8
printf '\357\273\277bom' >values/bom
printf 'gr\303\274\303\237e \360\237\224\221' >values/utf8
printf '' >values/empty
printf ' blanks around ' >values/blanks
printf '\\n\\s\\t\\\\ %%0a "quoted" ;#' >values/escapes
printf 'bGluZSBvbmUK' >values/looks-like-base64
printf '=' >values/equals
head -c 65536 /dev/zero | tr '\0' '\n' >values/newlines-64k
head -c 65536 /dev/urandom >values/random-64k
head -c 48000 /dev/urandom | base64 -w0 | head -c 65536 >values/text-64k

# values_in: store all
values_in()
{
    local f
    for f in values/*; do
        kt set "bytes/${f#*/}" "$f"
        [ "$rc" -eq 0 ] || echo "${f#*/}: $err"
    done
}

# values_out: those that do not come back as they were
values_out()
{
    local f
    for f in values/*; do
        kt get "bytes/${f#*/}"
        [ "$rc" -eq 0 ] && cmp -s "$TESTTMP/out" "$f" || echo "${f#*/}: $rc $err"
    done
}

is 'values of all kinds are stored' "$(values_in)" ''
is 'and come back' "$(values_out)" ''
gnome_stop
gnome_start pw
is 'after a restart, too' "$(values_out)" ''
head -c 65537 /dev/zero >long
kt set bytes/long long
is 'too long is refused' "$rc" 15
is 'what others read as text is text for them' "$(lookup bytes/utf8)" "$(<values/utf8)"
is 'and secret-tool stores ours' "$(printf 'two\nlines' |
    secret-tool store --label=raw service deepseek name raw; kt get raw; echo "$out")" $'two\nlines'
is 'others have what they had' "$("$peer" items "$login" | grep -E "^($others)" | diff others.before -)" ''
is 'with their values' "$(secret-tool lookup user me server example.com)" 'not ours'

# ---- a keyring without a password: its file is text ----------------------------------------------

gnome_stop
rm -r "$secrets_dir/data/keyrings"
gnome_start ''
foreign 'another program' user me
is 'without a password: values of all kinds are stored' "$(values_in)" ''
kt set bytes/newline --attr 'note=plain' values/newline
kt set bytes/newline values/newline
ok 'the file is lines as it should have, and no value is one of them' gnome_text_is_sound
for i in 1 2; do
    gnome_stop
    gnome_start ''
    is "after restart $i all come back" "$(values_out)" ''
done
is 'and what others have' "$(secret-tool lookup user me)" 'not ours'

# ---- collections ---------------------------------------------------------------------------------

gnome_stop
rm -r "$secrets_dir/data/keyrings"
gnome_start pw
printf v | kt set a
printf value >value
before=$("$peer" items "$login")
other=$("$peer" create other pw2)
service other "read required keyring collection=$other" 'write required keyring'
service nosuch "read required keyring collection=$secrets_path/collection/nosuch" 'write required keyring'
service alias 'read required keyring collection=nosuchalias' 'write required keyring'
service default 'read required keyring collection=default' 'write required keyring'
printf v2 | kt -s other set a
is 'a collection by its path' "$rc $("$peer" items "$other" | grep -c 'name=a')" '0 1'
is 'nothing of it lands in another' "$("$peer" items "$login")" "$before"
printf v3 | kt -s default set b
is 'a collection by its alias' "$rc $("$peer" items "$login" | grep -c 'name=b')" '0 1'
for each in nosuch alias; do
    for command in 'get a' 'list' 'set a value'; do
        # shellcheck disable=SC2086 # words
        kt -s "$each" $command
        unlike "$each, $command: not success, and not 'no such secret'" "$rc" '^[03]$'
        like "$each, $command: names the collection" "$err" nosuch
        is "$each, $command: in one line" "$(wc -l <"$TESTTMP/err")" 1
    done
done
is 'no collection was made' "$(secrets_call --dest org.freedesktop.secrets --object-path "$secrets_path" \
    --method org.freedesktop.DBus.Properties.Get org.freedesktop.Secret.Service Collections |
    grep -c nosuch)" 0

# ---- unlocking without the prompter --------------------------------------------------------------

service master 'read required keyring allow-master-password' 'write required keyring'
gnome_lock
kt unlock
unlike 'unlock: not without the option' "$rc" '^0$'
ok 'and nothing is unlocked' secrets_are login true

at_terminal wrong-pw -- -s master unlock
is 'a wrong password is denied' "$rc" 4
unlike 'and not shown' "$out" 'wrong-pw'
ok 'and nothing is unlocked' secrets_are login true
at_terminal pw -- -s master unlock
is 'the right one' "$rc" 0
ok 'unlocks' secrets_are login false
kt get a
is 'so that values can be read' "$out" v
gnome_lock
at_terminal pw -- -s master keyring unlock
is 'keyring unlock does the same' "$rc" 0
ok 'indeed' secrets_are login false

# ---- where a value must not be -------------------------------------------------------------------

canary=canary-$(head -c 30 /dev/urandom | base64 -w0 | tr -d '/+=')
mkdir said
said=0
# quiet ARGUMENT...: keep what it says but for standard output
quiet()
{
    said=$((said + 1))
    kt -vv "$@"
    cp "$TESTTMP/err" "said/$said"
}
quiet set canary < <(printf %s "$canary")
is 'a canary is stored' "$rc" 0
quiet get canary
is 'and given' "$out" "$canary"
quiet versions canary
quiet explain canary
quiet list
quiet set canary --expect none < <(printf %s "$canary")
quiet set canary < <(printf '%s\n2' "$canary")
"$peer" items "$login" >said/attributes
gnome_lock
quiet get canary
quiet set canary < <(printf %s "$canary")
"$peer" unlock "$login" pw
gnome_stop
quiet set canary < <(printf %s "$canary")
gnome_start pw
is 'but no word of it is said, nor an attribute' "$(grep -rlF "${canary:0:20}" said home etc)" ''
is 'nor in a file but the keyring' "$(grep -rlF "${canary:0:20}" "$secrets_dir" | grep -v keyrings/)" ''

# ---- the contract --------------------------------------------------------------------------------

gnome_stop
rm -r "$secrets_dir/data/keyrings"
gnome_start pw
foreign 'another program' user me
kt conform keyring
like 'keyturn conform keyring passes' "$rc $out" '^0 .*checks passed'
unlike 'no check failed' "$out" 'failed'
is 'and leaves nothing behind' "$("$peer" items "$login")" $'another program\tuser=me\txdg:schema=org.example.Else'

finish
