#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyturn import from a store that the real pass made, with a key of its own.
# shellcheck source=tests/cli.sh disable=SC2154,SC2016,SC2317 # rc, out, err come from there
. "${srcdir:?}/tests/cli.sh"

if ! command -v pass >/dev/null || ! command -v gpg >/dev/null; then
    echo '1..0 # SKIP pass and gpg are not installed'
    exit 0
fi

# A socket's path must be short.
home=$(mktemp -d /tmp/keyturn-gpg.XXXXXX) || exit 99
export GNUPGHOME=$home PASSWORD_STORE_DIR=$TESTTMP/store
export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@example.com GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@example.com
trap 'gpgconf --kill all 2>/dev/null; rm -rf "$home"' EXIT

service deepseek "read required file path=$TESTTMP/s.db key=$TESTTMP/s.key" 'write required file'
fingerprint()
{
    gpg --list-keys --with-colons "$1" | awk -F: '/^f.r:/ { print $10; exit }'
}

key()
{
    gpg --batch --quiet --passphrase "$2" --quick-generate-key "$1" rsa2048 default never
    gpg --batch --quiet --passphrase "$2" --pinentry-mode loopback --quick-add-key \
        "$(fingerprint "$1")" \
        rsa2048 encrypt never
}
ok 'a key' key test@example.com ''
ok 'a store' pass init test@example.com
printf 'sk-1\n' | pass insert -e deepseek/api-key >/dev/null
printf 'first\nuser: me\n\xff\n' | pass insert -m web/login >/dev/null
printf 'no newline' | gpg --batch --quiet -e -r test@example.com -o "$PASSWORD_STORE_DIR/bare.gpg"
: | pass insert -m empty >/dev/null
pass git init >/dev/null 2>&1
find "$PASSWORD_STORE_DIR" -type f -not -path '*/.git/*' | sort >before

kt import --format pass --dry-run
is 'a dry run' "$rc $out" '0 bare: would be imported
deepseek/api-key: would be imported
empty: would be imported: its value is empty
web/login: would be imported: its first line; --whole takes the others, too'
kt import --format pass
is 'all of it' "$rc" 0
like 'told' "$err" "$PASSWORD_STORE_DIR \(pass\): 4 imported"
unlike 'what is sealed there is no matter' "$err" 'in the open'
kt get deepseek/api-key
is 'the first line' "$out" sk-1
kt get web/login
is 'of several, too' "$out" first
kt get bare
is 'one without an end' "$out" 'no newline'
kt import "$PASSWORD_STORE_DIR" --whole --only web/login --prefix whole --json
is 'all lines, of a directory that is recognised' \
    "$rc $(json out 'rows[0]["name"], rows[0]["result"], rows[1]["format"]')" "0 ('whole/web/login', 'imported', 'pass')"
kt get whole/web/login
printf 'first\nuser: me\n\xff\n' >wanted
ok 'byte for byte' cmp out wanted
kt import --format pass
is 'again: nothing to do' "$rc $(grep -c unchanged out)" '0 4'
find "$PASSWORD_STORE_DIR" -type f -not -path '*/.git/*' | sort >after
ok 'nothing was written there' cmp before after

# ---- what is odd, and what is broken ----

echo junk >"$PASSWORD_STORE_DIR/junk.gpg"
: >"$PASSWORD_STORE_DIR/nothing.gpg"
head -c 100 "$PASSWORD_STORE_DIR/bare.gpg" >"$PASSWORD_STORE_DIR/torn.gpg"
cp "$PASSWORD_STORE_DIR/bare.gpg" "$PASSWORD_STORE_DIR/two words.gpg"
head -c 70000 /dev/zero | gpg --batch --quiet -e -r test@example.com -o "$PASSWORD_STORE_DIR/big.gpg"
echo text >"$PASSWORD_STORE_DIR/notes.txt"
ln -s .. "$PASSWORD_STORE_DIR/web/up"
ln -s nowhere "$PASSWORD_STORE_DIR/dangling.gpg"
mkdir "$TESTTMP/elsewhere"
cp "$PASSWORD_STORE_DIR/bare.gpg" "$TESTTMP/elsewhere/linked.gpg"
ln -s "$TESTTMP/elsewhere" "$PASSWORD_STORE_DIR/link"
kt import --format pass --json
is 'each has its own end' "$(json out '{r["name"]: r["status"] for r in rows if r["name"] and r["result"] != "unchanged"}')" \
    "{'big': 'too_large', 'junk': 'corrupt', 'link/linked': 'success', 'nothing': 'corrupt', 'torn': 'corrupt', 'two words': 'invalid'}"
is 'and the worst is the exit code' "$rc" 21
like 'a link back is left out' "$err" 'leads back'
rm "$PASSWORD_STORE_DIR"/{junk,nothing,torn,big,dangling}.gpg "$PASSWORD_STORE_DIR/web/up"

ok 'another key, with a passphrase' key locked@example.com secret
printf 'x' | gpg --batch --quiet -e -r locked@example.com -o "$PASSWORD_STORE_DIR/locked.gpg"
gpgconf --kill all
kt import --format pass --only locked --only bare
is 'a key that nobody unlocks' "$rc $(cut -d: -f1-3 out)" '5 bare: unchanged
locked: failed: locked'
gpg --batch --yes --quiet --delete-secret-keys \
    "$(fingerprint locked@example.com)"
kt import --format pass --only locked
like 'a key that is not there' "$rc $out" '^5 locked: failed: locked: gpg has no key'
rm "$PASSWORD_STORE_DIR/locked.gpg"

PATH_BEFORE=$PATH
mkdir bin
for program in tr cat; do ln -s "$(command -v $program)" bin; done
PATH=$TESTTMP/bin
kt import --format pass --only bare
PATH=$PATH_BEFORE
like 'without gpg' "$rc $out" '^22 bare: failed: unsupported: there is no gpg'
printf '#!/bin/sh\nexec sleep 60\n' >bin/gpg
chmod +x bin/gpg
ln -s "$(command -v sleep)" bin
PATH=$TESTTMP/bin
kt import --format pass --only bare --timeout 300ms
PATH=$PATH_BEFORE
is 'a gpg that hangs' "$rc" 8
printf '#!/bin/sh\necho almost\nexit 0\n' >bin/gpg
PATH=$TESTTMP/bin
kt import --format pass --only bare
PATH=$PATH_BEFORE
ok 'a gpg that does not say that it decrypted is not believed' test "$rc" -ne 0

PASSWORD_STORE_DIR=$TESTTMP/nosuch kt import --format pass
like 'no store' "$rc $err" '^1 .*nosuch: No such file'
printf 'sk-1\n' | pass insert -f -e deepseek/api-key >/dev/null
printf 'sk-2\n' | pass insert -f -e deepseek/api-key >/dev/null
kt import --format pass --only deepseek/api-key
is 'another value there' "$rc" 11
kt import --format pass --only deepseek/api-key --replace
is 'replaced' "$rc $out" '0 deepseek/api-key: replaced'
finish
