#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyturn scan: our own keys and unknown ones, in files, in all that git has, and before a commit. No
# key stands in this file: they are made from names.
# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

command -v git >/dev/null || { echo '1..0 # SKIP no git'; exit 0; }
export HOME=$TESTTMP/home GIT_CONFIG_GLOBAL=$TESTTMP/gitconfig GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.com GIT_COMMITTER_NAME=c GIT_COMMITTER_EMAIL=c@example.com
mkdir -p home
printf '[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n' >gitconfig
: >outputs

# hex NAME: 32 digits
hex()
{
    printf %s "$1" | sha256sum | cut -c1-32
}

# run ARGUMENT...: kt, and what it says is kept: no key may ever be in it
run()
{
    kt "$@"
    cat "$TESTTMP/out" "$TESTTMP/err" >>"$TESTTMP/outputs"
}

found=183

service deepseek "read required file path=$TESTTMP/store/s.db key=$TESTTMP/store/s.key" 'write required file'
mkdir -m 700 store
first=sk-$(hex first) second=sk-$(hex second) third=sk-$(hex third) next="pending $(hex next)"
for value in "$first" "$second" "$third"; do printf %s "$value" | kt -q set deepseek/api-key; done
printf %s "$next" | kt -q set deepseek/api-key --stage pending
db="db: $(hex db)/with+signs=&\"quotes\""
printf '%s\n' "$db" | kt -q set app/database
unknown=sk-$(hex unknown)

# ---- files ---------------------------------------------------------------------------------------

mkdir -p tree/deep/.hidden
printf 'nothing here\n' >tree/clean
run scan tree
is 'nothing is found in nothing' "$rc $out" '0 '

printf 'a\n  key = "%s"\n' "$third" >tree/plain
run scan tree
is 'our own: where it is, its name' "$rc ${out%%, version*}" "$found tree/plain:2:10: our own deepseek/api-key"
run --json scan tree
is 'JSON' "$(json out '[(r["rule"], r["path"], r["line"], r["column"], r["name"], r["commit"], len(r["fingerprint"])) for r in rows]')" \
    "[('own-secret', 'tree/plain', 2, 10, 'deepseek/api-key', None, 12)]"
is 'JSON: the version' "$(json out 'rows[0]["version"]')" "$(kt versions deepseek/api-key; grep -w current out | cut -f1)"

for value in "$first" "$second" "$next"; do
    printf 'x%sx' "$value" >tree/plain
    run scan tree/plain
    like 'former versions and the pending one' "$rc $out" "^$found tree/plain:1:2: our own deepseek/api-key"
done
printf '%s' "$db" >tree/plain
run scan tree
like 'a value that was stored with a newline' "$out" 'our own app/database'
printf '%s' "$unknown" >tree/plain
run scan tree
like 'an unknown one' "$rc $out" "^$found tree/plain:1:1: DeepSeek API key \\(deepseek [0-9a-f]{12}\\)$"
rm tree/plain

{ head -c 5000 /dev/zero; printf '\001\377%s\000' "$third"; } >tree/binary
printf 'secret %s\n' "$third" | iconv -t UTF-16LE >tree/wide
{ printf '\376\377'; printf 'secret %s\n' "$unknown" | iconv -t UTF-16BE; } >tree/wide-marked
printf 'some text before it: %s' "$third" | base64 -w 0 >tree/base64
printf 'and more text before it: %s, and after it' "$unknown" | base64 -w 40 >tree/base64-wrapped
python3 -c 'import json, sys; print(json.dumps({"v": sys.argv[1]}))' "$db" >tree/json
python3 -c 'import urllib.parse, sys; print("u?p=" + urllib.parse.quote(sys.argv[1], safe=""))' "$db" >tree/url
printf '%s' "$unknown" >tree/deep/.hidden/.env
ln -s ../outside tree/link
printf '%s' "$unknown" >outside
mkfifo tree/fifo
run --json scan tree
is 'every file and encoding, and no link' "$rc $(json out 'sorted((r["path"][5:], r["encoding"]) for r in rows)')" \
    "$found [('base64', 'base64'), ('base64-wrapped', 'base64'), ('binary', None), ('deep/.hidden/.env', None), ('json', 'json'), ('url', 'percent'), ('wide', 'utf-16'), ('wide-marked', 'utf-16')]"
run -v scan tree
like 'what is skipped is told with -v' "$err" 'tree/fifo: skipped'
like 'links, too' "$err" 'tree/link: skipped'
rm -r tree
run scan outside
is 'a file' "$rc" $found
kt scan - <outside
is 'standard input' "$rc ${out%% *}" "$found -:1:1:"
run scan nosuch
is 'what is not there' "$rc $err" '1 keyturn: nosuch: No such file or directory'
run scan nosuch outside
is 'what is not there does not hide what is' "$rc $err" "$found keyturn: nosuch: No such file or directory"
run scan fifo-like /dev/null
is 'a device' "$rc" 1
run scan
is 'no path' "$rc" 2
run --json scan --sarif .
is 'two formats' "$rc" 2

truncate -s 5G huge
printf '\n%s' "$unknown" >>huge
run scan huge
like 'past 4 GiB' "$rc $out" "^$found huge:2:1: "
rm huge

if [ "$(id -u)" -ne 0 ]; then
    mkdir denied && printf x >denied/file && chmod 0 denied/file
    run scan denied
    is 'what may not be read is told' "$rc $err" '1 keyturn: denied/file: Permission denied'
    rm -rf denied
fi

# ---- our own store -------------------------------------------------------------------------------

mkdir many && for i in $(seq 40); do hex "$i" | kt -q set "many/$i"; done
run scan store many
is 'nothing in our own store and its key' "$rc $out" '0 '
rmdir many

# ---- names ---------------------------------------------------------------------------------------

mkdir names
printf '%s' "$unknown" >"names/"$'new\nline\e[31m'
run scan names
is 'a hostile name is shown, not sent' "${out%%: DeepSeek*}" 'names/new\x0aline\x1b[31m:1:1'
rm names/*
printf 'x' >"names/$third.txt"
printf '%s' "$unknown" >"names/$unknown"
run scan names
is 'a key in a name is found, and hidden' "$rc $(cut -d, -f1 out | cut -d'(' -f1)" \
    "$found names/***********************************.txt: in its name: our own deepseek/api-key
names/***********************************: in its name: DeepSeek API key 
names/***********************************:1:1: DeepSeek API key "
run --json scan names
is 'in JSON, too' "$(json out '[(r["in"], r["line"]) for r in rows]')" "[('name', None), ('name', None), ('content', 1)]"
run scan --sarif names
run scan "names/$unknown/nosuch"
is 'nor is it in an error' "$rc $err" '1 keyturn: names/***********************************/nosuch: Not a directory'
rm -r names

# ---- git -----------------------------------------------------------------------------------------

git init -q repo
commit()
{
    git -C repo add -A && git -C repo commit -q --no-verify --allow-empty "$@"
}
echo start >repo/file && commit -m start
printf 'one\ntwo %s\n' "$third" >repo/config && commit -m 'add config'
came=$(git -C repo rev-parse HEAD)
echo more >>repo/config && commit -m 'more config'
rm repo/config && commit -m 'take it away'
run scan repo
is 'a key that is only in the history: in which commit it came' "$rc ${out/, version * commit/ commit}" \
    "$found repo/config:2:5: our own deepseek/api-key commit ${came:0:12} (${out##*(}"
git -C repo repack -adq && git -C repo prune-packed
run --json scan repo
is 'in a pack' "$(json out '[(r["commit"], r["path"]) for r in rows]')" "[('$came', 'repo/config')]"
run scan --no-history repo
is 'not with --no-history' "$rc $out" '0 '
run scan repo/file
is 'a file has no history' "$rc $out" '0 '
git clone -q --bare repo bare.git
run --json scan bare.git
is 'a repository without a work tree' "$(json out '[r["path"] for r in rows]')" "['bare.git/config']"
mkdir outer && mv bare.git outer && mv repo outer
run --json scan outer
is 'repositories below a directory' "$(json out 'sorted(r["path"] for r in rows)')" "['outer/bare.git/config', 'outer/repo/config']"
mv outer/repo . && rm -rf outer
git -C repo worktree add -q ../linked
run --json scan linked
is 'a linked work tree' "$(json out '[r["commit"] for r in rows]')" "['$came']"
run --json scan repo linked
is 'the same objects once' "$(json out 'len(rows)')" 1
git -C repo worktree remove ../linked

# where else git keeps what was once there
rm -rf repo && git init -q repo
echo start >repo/file && commit -m start
printf '%s' "sk-$(hex stash)" >repo/file && git -C repo stash -q
printf '%s' "sk-$(hex dangling)" | git -C repo hash-object -w --stdin >/dev/null
commit -m "message sk-$(hex message)"
git -C repo reset -q --hard HEAD~ && rm repo/.git/ORIG_HEAD
git -C repo tag -a -m "tag sk-$(hex tag)" v1
git -C repo checkout -q -b side && printf '%s' "sk-$(hex side)" >repo/side && commit -m side && git -C repo checkout -q main
rm -f repo/.git/COMMIT_EDITMSG && rm -rf repo/.git/logs/HEAD
run --json scan --shapes-only repo
is 'stash, dangling object, message, tag, branch' \
    "$rc $(json out 'sorted((r["in"], r["path"], r["commit"] is None) for r in rows if "/.git/" not in r["path"])')" \
    "$found [('content', 'repo', True), ('content', 'repo/file', False), ('content', 'repo/side', False), ('message', 'repo', False), ('message', 'repo', True)]"
printf '[remote "o"]\n\turl = https://x:%s@host/r\n' "$unknown" >>repo/.git/config
run scan --shapes-only --no-history repo
like 'the settings of git are a file like another' "$out" 'repo/.git/config:[0-9]+:[0-9]+: DeepSeek'

# a first commit has no parent, a merge two; both at the same second
rm -rf repo && git init -q repo
export GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
printf '%s\n' "$unknown" >repo/zero && commit -m zero
root=$(git -C repo rev-parse HEAD)
for i in 1 2 3; do echo "$i" >>repo/zero; commit -m "$i"; done
git -C repo checkout -q -b other HEAD~2 && echo o >repo/o && commit -m o && git -C repo checkout -q main
git -C repo merge -q --no-edit other && rm repo/zero && commit -m gone
unset GIT_AUTHOR_DATE GIT_COMMITTER_DATE
run --json scan repo
is 'the first of several commits, whatever their dates' "$(json out '[(r["commit"], r["path"]) for r in rows]')" \
    "[('$root', 'repo/zero')]"

# what a repository configures does not run
cat >evil <<END
#!/bin/sh
touch $TESTTMP/ran
END
chmod +x evil
for key in core.fsmonitor core.pager core.sshCommand core.askPass core.editor gpg.program diff.external diff.evil.textconv \
    diff.evil.command filter.evil.smudge filter.evil.clean core.gitProxy pager.diff-tree credential.helper \
    core.alternateRefsCommand uploadpack.packObjectsHook; do
    git -C repo config "$key" "$TESTTMP/evil"
done
git -C repo config log.showSignature true
git -C repo config core.hooksPath "$TESTTMP/hooks-evil" && mkdir hooks-evil
for hook in post-index-change pre-auto-gc reference-transaction; do cp evil "hooks-evil/$hook"; done
echo '* diff=evil filter=evil' >repo/.gitattributes
echo staged >repo/staged && GIT_CONFIG_COUNT=0 git -C repo -c core.fsmonitor= -c filter.evil.clean=cat add staged
rm -f ran
run scan repo
is 'git runs nothing of theirs' "$rc $(ls ran 2>/dev/null)" "$found "
run scan --staged repo
is 'nor with --staged' "$rc $(ls ran 2>/dev/null)" '0 '

# what is damaged is told
rm -rf repo && git init -q repo && echo start >repo/file && commit -m start
object=$(git -C repo rev-parse HEAD:file)
chmod u+w "repo/.git/objects/${object:0:2}/${object:2}"
printf broken >"repo/.git/objects/${object:0:2}/${object:2}"
printf '%s' "$unknown" >repo/key
run scan --shapes-only repo
is 'a damaged repository is told, and what can be read is read' "$rc $(wc -l <out) $(grep -c '^keyturn: ' err)" \
    "$found 1 $(grep -c . err)"
rm repo/key
run scan --shapes-only repo
ok 'and is no success' test "$rc" -ne 0
mkdir bin && ln -s "$(command -v cat)" "$(command -v tr)" bin
saved=$PATH
PATH=$TESTTMP/bin # with what kt and run need
run scan --shapes-only repo
PATH=$saved
is 'without git' "$rc $err" '6 keyturn: the program git is not installed; --no-history does without it'
PATH=$TESTTMP/bin
run scan --shapes-only --no-history repo
PATH=$saved
is 'without git, --no-history' "$rc" 0

# ---- before a commit -----------------------------------------------------------------------------

rm -rf repo && git init -q repo
cd repo || exit 99
run scan --staged
is 'nothing is staged, no commit yet' "$rc $out$err" '0 '
printf '%s' "$unknown" >a && git add a && echo clean >a
run scan --staged
like 'what is staged counts, not the file' "$rc $out" "^$found a:1:1: DeepSeek"
git add a && printf '%s' "$unknown" >a
run scan --staged
is 'and the other way round' "$rc $out" '0 '
git commit -q -m clean
run scan --install-hook
is 'the hook' "$rc $out" "0 ./.git/hooks/pre-commit: installed"
run scan --install-hook
is 'the hook, twice' "$rc" 0
ok 'git may run it' test -x .git/hooks/pre-commit
before=$(git rev-parse HEAD)
git commit -q -a -m bad >../commit 2>&1
is 'a commit with a key is stopped' "$? $(git rev-parse HEAD)" "1 $before"
like 'and it says why' "$(<../commit)" 'a:1:1: DeepSeek API key'
cat ../commit >>../outputs
printf '%s' "$second" >'b c' && git add 'b c' && git checkout -q a
git commit -q -m bad >../commit 2>&1
is 'with one of ours, too' "$? $(git rev-parse HEAD)" "1 $before"
cat ../commit >>../outputs
git rm -qf --cached 'b c' && rm 'b c' && echo good >c && mkdir sub && echo x >sub/d && git add c sub
(cd sub && git commit -q -m good) >../commit 2>&1
is 'a commit without passes' "$? $(git log -1 --format=%s) $(<../commit)" '0 good '
printf '%s' "$unknown" >e && git add e && echo f >f && git add f
git commit -q -m 'only f' f >../commit 2>&1
is 'a commit of one file is about that file' "$? $(git log -1 --format=%s)" '0 only f'
git rm -qf --cached e
run scan --uninstall-hook
is 'the hook goes' "$rc $(ls .git/hooks/pre-commit 2>/dev/null)" '0 '
run scan --uninstall-hook
is 'once' "$rc" 3
printf '#!/bin/sh\nexit 0\n' >.git/hooks/pre-commit
run scan --install-hook
like 'a hook of somebody else is left' "$rc $err $(<.git/hooks/pre-commit)" '^12 .*keyturn scan --staged.*exit 0$'
run scan --uninstall-hook
is 'and not removed' "$rc $(tail -n 1 .git/hooks/pre-commit)" '11 exit 0'
rm .git/hooks/pre-commit
git config core.hooksPath my-hooks
run scan --install-hook --shapes-only
ok 'core.hooksPath' test -x my-hooks/pre-commit
git add e
git commit -q -m bad >../commit 2>&1
is 'it works from there' "$?" 1
git config --unset core.hooksPath && rm -r my-hooks
git worktree add -q ../linked && run scan --install-hook ../linked
ok 'a linked work tree has the hooks of its repository' test -x .git/hooks/pre-commit
cp e ../linked && git -C ../linked add e
git -C ../linked commit -q -m bad >../commit 2>&1
is 'and there it works' "$?" 1
cd .. || exit 99
run scan --staged home
like 'no repository' "$rc $err" '^6 keyturn: .*git'
run scan --install-hook home
is 'no repository, no hook' "$rc" 6
rm -rf repo linked

# ---- what is allowed -----------------------------------------------------------------------------

mkdir -p allow/test/data allow/src
printf 'x = %s\n' "$unknown" | tee allow/src/a allow/test/data/b >allow/c.txt
run scan allow
is 'three' "$(wc -l <out)" 3
run scan --allow allow
is '--allow' "$rc $(wc -l <out)" '0 3'
is 'one fingerprint, and its salt' "$(grep -c '^fingerprint:' allow/.keyturnignore) $(grep -c '^salt:' allow/.keyturnignore)" '1 1'
run scan allow
is 'now it is allowed' "$rc $out" '0 '
printf '%s' "$third" >allow/other
run scan allow
is 'another is not' "$rc $(wc -l <out)" "$found 1"
run scan allow && cp out one && run scan allow
ok 'fingerprints are the same each time' cmp out one
run scan --allow allow && run scan allow
is '--allow adds' "$rc $(grep -c '^fingerprint:' allow/.keyturnignore) $(grep -c '^salt:' allow/.keyturnignore)" '0 2 1'
run scan --no-ignore allow
is '--no-ignore' "$rc $(wc -l <out)" "$found 4"
rm allow/other
for row in 'test/ src/a c.txt' '*.txt src/a c.txt test' '/src src/a' '**/data test/data/b' 'test/**/b test/data/b' \
    'src/? src/a' 'a src/a' 'data/b -' '/a -' 'src/** src/a' '* src/a c.txt test/data/b'; do
    read -r pattern rest <<<"$row"
    printf '# patterns\n\n%s\n' "$pattern" >allow/.keyturnignore
    run --json scan allow
    case $pattern in
    'test/') wanted="['allow/c.txt', 'allow/src/a']" ;;
    '*.txt') wanted="['allow/src/a', 'allow/test/data/b']" ;;
    '/src' | 'src/?' | 'a' | 'src/**') wanted="['allow/c.txt', 'allow/test/data/b']" ;;
    '**/data' | 'test/**/b') wanted="['allow/c.txt', 'allow/src/a']" ;;
    '*') wanted='[]' ;;
    *) wanted="['allow/c.txt', 'allow/src/a', 'allow/test/data/b']" ;;
    esac
    is "pattern $pattern" "$(json out '[r["path"] for r in rows]')" "$wanted"
done
printf '/src\n' >allow/.keyturnignore
(cd allow/src && "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" scan --shapes-only .. >/dev/null)
is 'patterns are seen from their file' "$?" $found
for line in '!src' 'salt:123' 'fingerprint:xyz' 'fingerprint:0123456789ab'; do
    printf '%s\n' "$line" >allow/.keyturnignore
    run scan allow
    is "refused: $line" "$rc $out" '14 '
done
rm -r allow

# ---- the service ---------------------------------------------------------------------------------

mv store/s.key away
mkdir tree && printf '%s %s' "$unknown" "$third" >tree/file
run --json scan tree
is 'locked: it is told, and shapes are still found' "$rc $(json out '[r["rule"] for r in rows]') $(grep -c locked err)" \
    "$found ['deepseek', 'deepseek'] 1"
echo nothing >tree/file
run scan tree
is 'locked: nothing found is not success' "$rc" 5
run scan --shapes-only tree
is '--shapes-only asks nobody' "$rc $err" '0 '
mv away store/s.key
service half 'read required debug list=unavailable'
run -s half scan tree
ok 'a service that does not list is told' test "$rc" -ne 0
printf short | kt -q set tiny && printf password | kt -q set word
run -v scan tree
like 'too short to be looked for' "$err" 'tiny: .*not looked for'
like 'too simple to be looked for' "$err" 'word: .*not looked for'

# ---- SARIF ---------------------------------------------------------------------------------------

mkdir -p 'tree/a b'
printf 'x\n%s\n' "$unknown" >'tree/a b/ü:%?#"' && printf '%s' "$third" >tree/own
cat >sarif.py <<'END'
import json, sys
doc = json.load(open(sys.argv[1], encoding="utf-8"))
assert doc["version"] == "2.1.0" and doc["$schema"].endswith("sarif-2.1.0.json")
assert set(doc) == {"version", "$schema", "runs"}
(run,) = doc["runs"]
driver = run["tool"]["driver"]
assert driver["name"] == "keyturn scan" and driver["version"]
ids = [r["id"] for r in driver["rules"]]
assert len(ids) == len(set(ids)) and all(r["shortDescription"]["text"] for r in driver["rules"])
assert run["invocations"][0]["executionSuccessful"] is (sys.argv[2] == "ok")
for r in run["results"]:
    assert r["ruleId"] in ids and r["level"] in ("error", "warning", "note") and r["message"]["text"]
    (where,) = r["locations"]
    where = where["physicalLocation"]
    uri = where["artifactLocation"]["uri"]
    assert all(c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/%:" for c in uri)
    assert where["region"]["startLine"] >= 1 and where["region"]["startColumn"] >= 1
    assert "snippet" not in where["region"]
    assert r["partialFingerprints"]["keyturnPlace/v1"]
print([(r["ruleId"], r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]) for r in run["results"]])
END
run scan --sarif tree
is 'SARIF' "$rc $(python3 sarif.py out ok)" \
    "$found [('deepseek', 'tree/a%20b/%C3%BC%3A%25%3F%23%22'), ('own-secret', 'tree/own')]"
cp out one && run scan --sarif tree
ok 'SARIF: the same each time' cmp one out
run scan --sarif store
is 'SARIF without results' "$rc $(python3 sarif.py out ok)" '0 []'
run scan --sarif nosuch
is 'SARIF of a failure' "$rc $(python3 sarif.py out failed)" '1 []'
kt scan tree >/dev/full
is 'a full disk' "$rc" $found

# ---- never a key ---------------------------------------------------------------------------------

run -vv --json scan tree
run -vv scan .
for value in "$first" "$second" "$third" "${next#pending }" "$(hex db)" "$unknown" \
    "sk-$(hex stash)" "sk-$(hex message)" "sk-$(hex tag)" "sk-$(hex side)" "sk-$(hex dangling)"; do
    ok 'no key in any output' test -z "$(grep -F -e "$value" -e "${value:3:12}" -e "${value: -12}" outputs)"
done
ok 'control: there was output' grep -q 'our own deepseek/api-key' outputs

finish
