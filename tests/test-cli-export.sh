#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyturn export: sealed archives, and in the open only when that is said; `.env` files that keep what
# others wrote in them, git trees, a full disk, several writers at once.
# shellcheck source=tests/cli.sh disable=SC2154,SC2016,SC2317 # rc, out, err come from there
. "${srcdir:?}/tests/cli.sh"

service deepseek "read required file path=$TESTTMP/s.db key=$TESTTMP/s.key" 'write required file'
service other "read required file path=$TESTTMP/o.db key=$TESTTMP/o.key" 'write required file'
mkdir scratch
export TMPDIR=$TESTTMP/scratch
ulimit -c 0

# set_value NAME TEXT: with printf's escapes
set_value()
{
    # shellcheck disable=SC2059
    printf "$2" | kt -q set "$1"
}

set_value app/db-url 'postgres://u:p@h/d'
set_value app/TOKEN "it's \$1 \"x\" \\\\ #\n\ttwo"
set_value app/bytes '\377\1\r\n'
set_value other/key sk-2
set_value solo sk-3

# ---- in the open only when told ----

for words in '--format env x.env' '--format json x.json' '- app' '--format archive --plaintext x' \
    '--plaintext x.json --keyfile k' 'x --map A=solo' '--plaintext x --map A' '--plaintext --format yaml x'; do
    # shellcheck disable=SC2086
    kt export $words </dev/null
    is "refused: export $words" "$rc $out" '2 '
done
like 'without --plaintext nothing is' "$(kt export --format env x.env; echo "$err")" 'say --plaintext'
is 'none of these wrote anything' "$(find . -name 'x*' -o -name k)" ''

# ---- .env ----

cat >.env <<'END'
# for the web server

OTHER=stays   # here
export DB_URL="old
value" # gone with it
 TOKEN = first
TOKEN=second
LAST='no newline'
END
truncate -s -1 .env
chmod 644 .env
kt export --plaintext .env app
is '.env' "$rc $out" '0 app/TOKEN: exported as TOKEN
app/bytes: exported as bytes
app/db-url: exported as DB_URL'
printf '%s\n' '# for the web server' '' 'OTHER=stays   # here' \
    "export DB_URL=postgres://u:p@h/d" \
    'TOKEN="it'"'"'s \$1 \"x\" \\ #\n\ttwo"' "LAST='no newline'" >wanted
{ printf 'bytes="\377\1\\r\\n"\n'; } >>wanted
ok 'keeps lines, comments and order' cmp .env wanted
is 'and is nobody elses' "$(stat -c %a .env)" 600
kt import .env --prefix back
is 'and is read back' "$rc" 0
for name in app/db-url:back/DB_URL app/TOKEN:back/TOKEN app/bytes:back/bytes; do
    kt get "${name%:*}"
    cp out wanted
    kt get "${name#*:}"
    ok "$name: the same bytes" cmp out wanted
done
kt delete back/OTHER; kt delete back/LAST; kt delete back/DB_URL; kt delete back/TOKEN; kt delete back/bytes
before=$(stat -c %i .env)
kt export --plaintext .env app --json
is 'as JSON' "$(json out '[(r["name"], r["key"], r["result"]) for r in rows][:1]')" \
    "[('app/TOKEN', 'TOKEN', 'exported')]"
ok 'by a new file that takes its name' test "$(stat -c %i .env)" != "$before"
is 'with nothing beside it' "$(find . -maxdepth 1 -name '.env*')" ./.env
ln -s .env link.env
kt export --plaintext link.env solo --map DEEPSEEK_API_KEY=solo
is 'by a link, whose target is written' "$rc $(readlink link.env) $(tail -n 1 .env)" '0 .env DEEPSEEK_API_KEY=sk-3'
cp .env before
printf 'a\0b' | kt -q set nul/x
kt export --plaintext .env nul
like 'a NUL cannot be in there' "$rc $err" '^14 .*nul/x: .*NUL byte.*nothing was written'
set_value twice/a-b 1
set_value twice/a/b 2
kt export --plaintext .env twice
like 'two of one name' "$rc $err" '^14 .*twice/a-b and twice/a/b would both be A_B|^14 .*twice/a/b and twice/a-b would both be A_B'
kt export --plaintext .env nosuch
is 'nothing to export' "$rc" 3
kt export --plaintext .env app --map X=solo
like 'a --map of what is not exported' "$rc $err" '^3 .*solo is not among'
kt export --plaintext .env solo --map 1X=solo
is 'a --map to no variable' "$rc" 14
printf 'A=1\nB="x\n' >bad.env
kt export --plaintext bad.env app
like 'a .env that is damaged' "$rc $err" '^21 .*bad.env, line 2, column 3: a quote that is not closed; nothing was written'
is 'stays as it is' "$(cat bad.env)" $'A=1\nB="x'
ok 'none of these wrote anything' cmp .env before
mkfifo fifo.env
kt export --plaintext fifo.env app
like 'a pipe' "$rc $err" '^12 .*no regular file'
mkdir dir.env
kt export --plaintext dir.env app
ok 'a directory' test "$rc" -ne 0
kt export --plaintext nosuch/x.env app
is 'a directory that is not there' "$rc" 1

# ---- JSON, and standard output ----

kt export --plaintext all.json
is 'JSON' "$rc $(stat -c %a all.json)" '0 600'
is 'holds all bytes' "$(python3 -c '
import base64, json
d = json.load(open("all.json", encoding="utf-8"))
print(sorted(d), base64.b64decode(d["app/bytes"]["value"]), d["app/bytes"]["encoding"], d["solo"])')" \
    "['app/TOKEN', 'app/bytes', 'app/db-url', 'nul/x', 'other/key', 'solo', 'twice/a-b', 'twice/a/b'] b'\\xff\\x01\\r\\n' base64 sk-3"
kt export --plaintext all.json
like 'not over a file that is there' "$rc $err" '^12 .*all.json is there already; --force'
kt export --plaintext all.json app --force
is 'but with --force' "$rc $(grep -c . all.json)" '0 5'
kt export --plaintext all.json --force
kt -s other import all.json
is 'and is read back' "$rc" 0
kt -s other export --plaintext other.json
ok 'the same' cmp all.json other.json
rm -f o.db* other.json
kt export --plaintext - app --format env
is 'standard output' "$rc $(wc -l <out)" '0 3'
kt export --plaintext - solo
is 'as JSON' "$rc $out" '0 {
  "solo": "sk-3"
}'
"$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" export --plaintext - >/dev/full 2>err
is 'a full standard output' "$?" 1

# every byte that each format can hold, and every length about the edges of base64
python3 - <<'PY'
import json
v = {f"all/{n}": bytes(range(256))[n:] for n in range(250, 256)}
v["all/every"] = bytes(range(256))
v["all/text"] = "".join(map(chr, list(range(1, 0x300)) + [0xfffd, 0x1f511])).encode()
open("every.py", "w").write(repr(v))
import base64
json.dump({k: {"value": base64.b64encode(b).decode(), "encoding": "base64"} for k, b in v.items()},
          open("every.json", "w"))
PY
kt import every.json
is 'every byte comes in' "$rc" 0
kt export --plaintext every2.json all
kt -s other import every2.json
is 'and by JSON out and in' "$rc" 0
kt delete all/every
kt export --plaintext every.env all
is 'by .env, without NUL' "$rc" 0
kt -s other import every.env --prefix env
same=1
for name in every text 250 255; do
    kt -s other --json get "all/$name"
    json out '__import__("base64").b64decode(rows[0]["value"]) if "encoding" in rows[0] else rows[0]["value"].encode()' >got
    python3 -c 'print(eval(open("every.py").read())["all/'$name'"])' | cmp -s - got || same=0
done
kt -s other get env/text
cp out wanted
kt -s other get all/text
cmp -s out wanted || same=0
is 'all of them the same' "$same" 1

# ---- sealed ----

rm -f o.db*
mkdir away
kt export away/x </dev/null
is 'nobody to ask for a passphrase' "$rc $(ls away scratch)" '5 away:

scratch:'
at_terminal sesame sesame -- export away/x
is 'an archive' "$rc $(cd away && stat -c '%n %a' -- *)" '0 x 600'
like 'is asked for by its name' "$out" 'New passphrase for away/x: '
unlike 'never shows what was typed' "$out" sesame
is 'leaves nothing else' "$(ls scratch)" ''
ok 'has no value in the open' test -z "$(grep -laF -e postgres away/x)"
at_terminal sesame sesami -- export away/y
is 'two that differ make none' "$rc $(ls away scratch)" '14 away:
x

scratch:'
kt export away/x </dev/null
like 'not over a file that is there' "$rc $err" '^12 .*away/x is there already; --force'
kt export nosuch/x </dev/null
like 'not where there is no directory' "$rc $err" '^1 .*nosuch/x: No such file'
kt -s other import away/x </dev/null
like 'a locked archive' "$rc $err" '^5 .*away/x is locked: name a key file'
at_terminal wrong -- -s other import away/x
is 'a wrong passphrase' "$rc" 4
ok 'makes nothing' test ! -e o.db
at_terminal sesame -- -s other import away/x --dry-run
is 'a dry run' "$rc" 0
ok 'makes nothing, either' test ! -e o.db
kt -s other import away/x --prefix p --keyfile s.key
is 'a prefix is refused' "$rc" 2
at_terminal sesame -- -s other import away/x
is 'an import' "$rc" 0
for name in app/db-url app/bytes nul/x; do
    kt get $name
    cp out wanted
    kt -s other get $name
    ok "$name: the same bytes" cmp out wanted
done
is 'the archive is as it was, with nothing beside it' "$(ls away scratch)" 'away:
x

scratch:'
at_terminal sesame -- -s other import away/x
is 'again: nothing to do' "$rc" 0
kt versions app/bytes
first=$(cut -f1 out)
kt -s other versions app/bytes
is 'with its version' "$(cut -f1 out)" "$first"

set_value app/bytes two
kt export --keyfile app.key away/k app
is 'under a key file, which is made' "$rc $(stat -c '%a %s' app.key)" '0 600 32'
kt export --keyfile app.key --force away/k app
is 'and used the next time' "$rc" 0
rm -f o.db*
kt -s other import --keyfile app.key away/k
is 'which opens it' "$rc" 0
kt -s other list
is 'only what was asked for is in it' "$out" 'app/TOKEN
app/bytes
app/db-url'
kt -s other versions app/bytes
is 'older versions are' "$(wc -l <out)" 2
set_value app/TOKEN mine
kt -s other -q set app/TOKEN <<<later
kt -s other import --keyfile app.key away/k --only app/db-url
is 'only one' "$rc" 0
kt -s other import --keyfile app.key away/k --only nosuch
ok 'one that is not there' test "$rc" -ne 0
kt export --keyfile other.key away/none nosuch
is 'nothing to export' "$rc $(ls away)" '3 k
x'
head -c 5000 /dev/urandom | dd of=away/k bs=1 seek=2000 conv=notrunc status=none
kt -s other import --keyfile app.key away/k
ok 'a damaged archive' test "$rc" -ne 0
is 'leaves nothing behind' "$(ls scratch)" ''

# ---- git ----

if command -v git >/dev/null; then
    export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
    outer()
    {
        git init -q tree && mkdir -p tree/sub/inner
    }
    ok 'a git tree' outer
    warned='a git tree that does not ignore it'
    # git_row WHAT FILE [w]: is there a warning, with git and without it? (w: there is)
    git_row()
    {
        local want=${3:-}
        kt export --plaintext "$2" solo
        if [ -n "$want" ]; then like "git: $1" "$rc $err" "^0 .*$warned"; else unlike "git: $1" "$err" "$warned"; fi
        PATH=$TESTTMP/nogit kt export --plaintext "$2" solo
        if [ -n "$want" ]; then like "without git: $1" "$rc $err" "^0 .*$warned"; else unlike "without git: $1" "$err" "$warned"; fi
    }
    mkdir nogit
    for program in tr cat; do ln -s "$(command -v $program)" nogit; done
    git_row 'no tree' .env
    git_row 'a tree without .gitignore' tree/.env w
    git_row 'below it' tree/sub/.env w
    printf '# nothing\n*.log\n/x\n' >tree/.gitignore
    git_row 'a .gitignore of other things' tree/.env w
    echo .env >>tree/.gitignore
    git_row 'ignored' tree/.env
    git_row 'ignored below' tree/sub/.env
    echo '!.env' >tree/sub/.gitignore
    git_row 'taken back below' tree/sub/.env w
    rm tree/sub/.gitignore
    echo '/.env' >tree/.gitignore
    git_row 'only at the top: there' tree/.env
    git_row 'only at the top: not below' tree/sub/.env w
    echo 'sub/' >tree/.gitignore
    git_row 'a directory that is ignored' tree/sub/.env
    git_row 'beside it' tree/.env w
    echo '.env' >tree/.gitignore
    git init -q tree/sub/inner
    git_row 'a tree inside, which does not ignore it' tree/sub/inner/.env w
    : >tree/.gitignore
    echo '.env' >tree/sub/inner/.git/info/exclude
    git_row 'a tree inside, which does' tree/sub/inner/.env
    ln -s tree/sub via
    git_row 'by a link' via/.env w
    mkdir -p plain/.git
    git_row 'a .git that is none' plain/.env
    echo '*.env' >tree/.gitignore
    git -C tree add -f .env
    kt export --plaintext tree/.env solo
    like 'git: ignored, but known to git already' "$err" "$warned"
    kt export --plaintext tree/.env.json solo
    like 'JSON, too' "$err" "$warned"
    GIT_DIR=$TESTTMP/tree/.git kt export --plaintext plain/.env solo
    unlike 'a GIT_DIR for another' "$err" "$warned"
    if [ "$(id -u)" = 0 ]; then # git refuses a tree of somebody else's
        chown -R 65534 tree
        rm -f tree/.gitignore
        kt export --plaintext tree/.env solo
        like "somebody else's tree" "$err" "$warned"
        echo .env >tree/.gitignore
        kt export --plaintext tree/.env solo
        unlike "somebody else's tree, ignored" "$err" "$warned"
        is "the file stays its owner's" "$(stat -c '%u %a' tree/.env)" '65534 600'
        chown -R 0 tree
        rm tree/.env tree/.gitignore
    fi
    git -C tree config core.fsmonitor "touch $TESTTMP/ran"
    kt export --plaintext tree/.env solo
    ok "the tree's own programs are not run" test ! -e ran
    rm -rf tree plain via
fi

# ---- several writers, what a crash left, a full disk ----

service env "read required env file=$TESTTMP/.env name=%n" "write required env file=$TESTTMP/.env name=%n"
printf 'KEEP=1\n' >.env
for i in 1 2 3 4; do
    for k in 1 2 3 4 5; do
        printf '%s' "$k" | "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" -q -s env set "W${i}_$k"
    done &
    for k in 1 2 3 4 5; do
        "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" -q export --plaintext .env solo --map "E${i}_$k=solo"
    done &
done
wait
is 'eight writers at once lose nothing' "$(grep -c = .env) $(grep -c '^E._.=sk-3$' .env) $(grep -c '^W._.=.$' .env)" '41 20 20'

python3 -c 'import json; json.dump({f"many/k{i}": "v" * 900 for i in range(300)}, open("many.json", "w"))'
kt -q import many.json
printf 'KEEP=1\n' >.env
printf 'half' >.k.env.keyturn
kt export --plaintext k.env solo
is 'what a crash left beside it goes with the next' "$rc $(find . -name '.k.env*')" '0 '

before=$(cat k.env)
(
    ulimit -f 100
    trap '' XFSZ
    exec "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" export --plaintext k.env many
) >out 2>err
is 'a disk that is full' "$?" 1
like 'is told' "$(<err)" 'k.env: write: '
is 'and leaves what was there' "$(cat k.env; find . -name '.k.env*')" "$before"
finish
