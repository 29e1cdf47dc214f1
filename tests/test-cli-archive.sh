#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# keyturn file backup, restore, export and import, as one types them
# shellcheck source=tests/cli.sh disable=SC2154 # rc, out, err come from there
. "${srcdir:?}/tests/cli.sh"

mkdir data away
service deepseek \
    "read required file path=$TESTTMP/data/s.db key=$TESTTMP/data/s.key" \
    "write required file path=$TESTTMP/data/s.db key=$TESTTMP/data/s.key"
service other \
    "read required file path=$TESTTMP/data/o.db key=$TESTTMP/data/o.key" \
    "write required file path=$TESTTMP/data/o.db key=$TESTTMP/data/o.key"

# ---- backup and restore ----

printf one | kt set app/a
printf two | kt set app/b
kt file backup away/b.db
is "a backup, relative to where one is" "$rc" 0
like "what is in it" "$out" "secrets: 2, versions: 2"
like "what is not, and where that is" "$out" "key file \(here: $TESTTMP/data/s.key\)"
is "it is one file, and nobody else's" "$(cd away && stat -c '%n %a' -- *)" "b.db 600"
kt file backup away/b.db
is "a name that is taken" "$rc" 12
like "and what to say" "$err" "replace"
kt file backup --replace away/b.db
is "a flag as an option" "$rc" 0
kt file backup to="$TESTTMP/away/b.db" replace
is "everything as words" "$rc" 0
kt file backup
like "without a name" "$err" "keyturn file backup PATH"
kt file backup data/s.db replace
is "not over the store itself" "$rc" 14
kt file backup "path=$TESTTMP/away/b.db" away/bb.db
is "a backup of a store that no service names, whose key is not at hand" "$rc" 0
ok "which is the same" cmp away/b.db away/bb.db
rm away/bb.db away/b.db-*

printf three | kt set app/a
printf new | kt set app/c
before=$(stat -c %i data/s.db)
kt file restore away/b.db
is "a restore that would lose something" "$rc" 12
like "says what" "$err" "3 secrets, 4 versions"
kt get app/a
is "and does nothing" "$out" three
kt file restore away/b.db replace
is "a restore" "$rc" 0
like "says what it replaced" "$out" "now: .*secrets: 3, versions: 4"
kt get app/a
is "what was is again" "$out" one
kt get app/c
is "what was not is no more" "$rc" 3
is "in the same file" "$(stat -c %i data/s.db)" "$before"

kt -s other file restore away/b.db
is "where there was none a store is made" "$rc" 0
kt -s other get app/a
is "which wants its key" "$rc" 5
cp data/s.key data/o.key
kt -s other get app/a
is "and opens with it" "$out" one
rm data/o.*

head -c 4096 /dev/urandom | dd of=data/s.db conv=notrunc status=none
kt list
is "a store without a head is corrupt" "$rc" 21
kt file restore away/b.db
is "and not restored unasked" "$rc" 12
kt file restore away/b.db replace
is "but restored" "$rc" 0
kt list
is "and is there again" "$out" "app/a
app/b"
is "still in the same file" "$(stat -c %i data/s.db)" "$before"

# ---- export and import ----

kt file export away/x
is "nobody to ask for a passphrase" "$rc" 5
is "and nothing is left" "$(ls away)" "b.db"
at_terminal sesame sesame -- file export away/x
is "an archive" "$rc" 0
like "is asked for by its name" "$out" "New passphrase for $TESTTMP/away/x: "
unlike "but never shows what was typed" "$out" sesame
like "and says what is in it" "$out" "secrets: 2, versions: 2"
is "it is one file, and nobody else's" "$(cd away && stat -c '%n %a' x*)" "x 600"
at_terminal sesame sesami -- file export away/y
is "two that differ" "$rc" 14
is "make none" "$(ls away)" "b.db
x"
at_terminal sesame -- -s other file import away/x dry-run
is "a dry run" "$rc" 0
like "says what would be" "$out" "secrets would be made: 2"
ok "and makes no store" test ! -e data/o.db
at_terminal wrong -- -s other file import away/x
is "a wrong passphrase is denied" "$rc" 4
at_terminal sesame -- -s other file import away/x
is "an import" "$rc" 0
like "counts" "$out" "secrets made: 2"
kt -s other get app/b
is "and the secrets are there" "$out" two
at_terminal sesame -- -s other file import away/x
like "again: nothing is new" "$out" "secrets unchanged: 2"

printf four | kt -s other set app/a
at_terminal sesame -- -s other file import away/x
kt -s other get app/a
is "what was put since stays current" "$out" four
at_terminal sesame -- -s other file import --replace away/x
kt -s other get app/a
is "unless it is said otherwise" "$out" one

kt file export --recovery away/r
is "a code instead of a passphrase" "$rc" 0
like "is shown" "$out" "opened by: [0-9A-Z]{4}-"
kt -s other file import "--archive-key=$TESTTMP/data/s.key" away/b.db
is "a backup, by its key file" "$rc" 0

# ---- killed ----

for i in $(seq 1 20); do head -c 60000 /dev/zero | kt set "big/$i"; done
failed=0
for i in $(seq 1 20); do
    "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" file backup away/k >/dev/null 2>&1 &
    sleep "0.0$((i % 5))$((RANDOM % 10))"
    kill -9 $! 2>/dev/null
    wait $! 2>/dev/null
    if [ -e away/k ]; then
        kt file restore away/k "path=$TESTTMP/data/k.db" || failed=$((failed + 1))
        [ "$rc" = 0 ] || failed=$((failed + 1))
        rm -f away/k data/k.db*
    fi
done
is "a killed backup is whole or has no name" "$failed" 0
kt file backup away/k
is "and the next one clears up" "$rc $(ls away)" "0 b.db
k
r
x"
finish
