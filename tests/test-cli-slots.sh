#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What opens an encrypted file, from the command line: slots of every kind, and stores whose key is a
# secret in another store.

# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

# store NAME [LINE-OPTION...]: a service with a store of its own
store()
{
    local name=$1
    shift
    service "$name" "read required file path=$TESTTMP/$name.db key=$TESTTMP/$name.key $*" \
        "write required file"
}

code_of_out()
{
    sed -n 's/^recovery code: //p' "$TESTTMP/out"
}

# ---- create, add, list, remove ----

store deepseek
kt file slot list
is "a store that was never made has no slots" "$rc" 3
kt file create recovery label=first
is "create makes the store" "$rc" 0
code=$(code_of_out)
like "and shows a recovery code in groups" "$code" '^([0-9A-HJKMNP-TV-Z]{4}-){6}[0-9A-HJKMNP-TV-Z]{4}$'
kt file create
like "but never over one that is there" "$err" 'is there already'
printf one | kt set a
kt file slot add --keyfile="$TESTTMP/spare.key" '--label=a spare one'
is "a key file is added" "$rc" 0
like "and where to say it" "$out" "key=$TESTTMP/spare.key"
is "it is this user's alone" "$(stat -c %a "$TESTTMP/spare.key")" 600
kt file slot list
is "list has a line for each" "$(wc -l <"$TESTTMP/out")" 3
like "with what it is" "$out" "slot 1: key file $TESTTMP/deepseek.key, made 20.*, label first"
like "its parameters" "$out" 'slot 2: recovery code, scrypt N=2\^17 r=8 p=1, made 20'
like "and its label" "$out" 'slot 3: key file, another one.*, label a spare one'
unlike "but never the code" "$out" "$code"
kt file status
like "status has them, too" "$out" 'format:    2.*slot 1: key file'
kt --json file slot list
is "and JSON" "$(json "$TESTTMP/out" 'len(rows)')" 3
kt file slot add
is "a kind must be said" "$rc" 14
kt file slot add recovery passphrase
is "and only one" "$rc" 14
kt file slot add recovery=yes
like "a flag is a flag" "$err" "expected 'recovery' alone"
kt file slot remove x
like "a slot is a number" "$err" 'a decimal number'
kt file slot remove 9
like "that there is" "$err" 'has no slot 9'
kt file slot remove 1
is "a slot is removed" "$rc" 0
like "and the rest is told" "$out" 'removed slot 1.*slot 2.*slot 3'
kt get a
is "then its key opens nothing" "$rc" 5
store deepseek "key=$TESTTMP/spare.key"
sed -i "s| key=$TESTTMP/deepseek.key||" "$KEYTURN_CONFIG_DIR/deepseek"
kt get a
is "the other one does" "$out" one
kt file slot remove 2
kt file slot remove 3 --no-recovery
like "the last one stays whatever is said" "$err" 'nothing else opens'

# ---- at a terminal ----

store typed passphrase
printf x | kt -s typed set a
like "nobody is there to be asked" "$err" 'nobody may be asked'
at_terminal 'first of all' 'first of all' -- -s typed file create recovery
is "create asks twice" "$rc" 0
code=$(code_of_out)
unlike "and shows nothing of it" "$out" 'first of all'
at_terminal 'first of all' zweite zweite -- -s typed file slot add passphrase label=second
is "adding asks for what opens it, then for the new one" "$rc" 0
like "in this order" "$out" 'Passphrase or recovery code for .*New passphrase for .*The same passphrase again'
at_terminal zweite -- -s typed file slot remove 1
is "and then the first can go" "$rc" 0
at_terminal 'first of all' -- -s typed get a
is "it is denied" "$rc" 4
denied=$(tail -n 1 <<<"$out")
case $code in
*0) wrong=${code%?}1 ;;
*) wrong=${code%?}0 ;;
esac
at_terminal "$wrong" -- -s typed get a
is "like a code with a typing error" "$rc: $(tail -n 1 <<<"$out")" "4: $denied"
at_terminal zweite -- -s typed get a
is "the new one opens it" "$rc" 3
lower=${code,,}
at_terminal "${lower//-/ }" -- -s typed get a
is "and so does the code in small letters and with blanks" "$rc" 3

# ---- a key that is a secret of another store ----

store vault
store other
printf two | kt -s other set b
kt -s other file slot add secret=vault/store-key
is "a secret is made for a slot" "$rc" 0
kt -s vault get store-key
like "in a printable form" "$out" '^[0-9a-f]{64}$'
kt -s other file slot remove 1
is "it must not be the only way in" "$rc" 14
like "without a recovery code" "$err" "slot add recovery"
like "or a word" "$err" 'no-recovery'
kt -s other file slot add recovery label=paper
code=$(code_of_out)
kt -s other file slot remove 1
is "with the code it may" "$rc" 0
rm "$TESTTMP/other.key"
kt -s other get b
is "the secret opens the store" "$out" two
kt -s other file slot remove 3
is "then the code has to stay" "$rc" 14

mv "$TESTTMP/vault.key" "$TESTTMP/away.key"
kt -s other get b
is "locked there is locked here" "$rc:$out" 5:
like "in words about both" "$err" "out of reach"
at_terminal "$code" -- -s other get b
is "the code opens it meanwhile" "$rc: $(tail -n 1 <<<"$out")" "0: two"
mv "$TESTTMP/away.key" "$TESTTMP/vault.key"
mv "$TESTTMP/vault.db" "$TESTTMP/vault.away"
kt -s other get b
is "a store that is gone: locked, not absent" "$rc" 5
like "named" "$err" 'vault/store-key'
mkdir "$TESTTMP/vault.db"
kt -s other get b
unlike "could not ask is not absent either" "$rc" '^(0|3|4)$'
rmdir "$TESTTMP/vault.db"
mv "$TESTTMP/vault.away" "$TESTTMP/vault.db"
kt -s other get b
is "it is there again" "$out" two
kt -s vault delete -f store-key
kt -s other get b
is "a secret that was deleted: locked" "$rc" 5
kt -s other get nothing
is "also for a name that is not there" "$rc" 5
kt -s other file slot add secret=vault/store-key
is "no new secret is made by whoever cannot open it" "$rc" 5
kt -s vault get store-key
is "none was" "$rc" 3
at_terminal "$code" -- -s other file slot add secret=vault/store-key
is "but by whoever can" "$rc" 0
kt -s other get b
is "and then it opens the store" "$out" two

# a service that is in the way: unavailable
service vault "read required file path=$TESTTMP/none/such/../../file/store.db" "write required file"
: >"$TESTTMP/file"
kt -s other get b
unlike "nor is one out of reach" "$rc" '^(0|3|4)$'
store vault

# ---- create with a secret ----

store third secret=vault/third
printf x | kt -s third set a
like "a put makes no store that a secret opens" "$err" 'keyturn file create'
kt -s third file create
like "nor does create" "$err" 'recovery, for a recovery code besides, or no-recovery'
kt -s third file create --no-recovery
is "unless it is told to" "$rc" 0
printf three | kt -s third set a
kt -s third get a
is "then it opens" "$out" three
kt -s third file slot list
like "by that" "$out" 'slot 1: secret vault/third'

# ---- cycles ----

kt -s vault file slot add secret=vault/x
like "a store cannot need itself" "$err" 'a cycle'
service alias "read required file path=$TESTTMP/vault.db key=$TESTTMP/vault.key" "write required file"
kt -s vault file slot add secret=alias/x
like "nor under another name" "$err" 'a cycle'
kt -s vault list
unlike "nothing was left there" "$out" '^x$'
kt -s vault file slot add secret=third/back
like "nor through another store" "$err" 'a cycle'
kt -s vault file slot list
is "and no slot was made" "$(wc -l <"$TESTTMP/out")" 1
finish
