#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyturn modules, check, conform and the verbs of modules: whatever a module does, keyturn tells it.
# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

service deepseek 'read required debug value=v' 'write required debug'

# ---- modules ----

kt modules
is 'modules: exit 0' "$rc" 0
like 'a row' "$out" $'debug\tbackend\tmemory\tnative\t[0-9.]+\tok\t/'
kt --json modules
is 'as JSON' "$(json out '[r["cas"] for r in rows if r["name"] == "debug"]')" "['native']"
kt modules debug
like 'details: capabilities' "$rc $out" '^0 .*capabilities +.*binary'
like 'details: limits' "$out" 'value 0 to 65536 bytes, name at most 512 bytes'
like 'details: an option' "$out" 'value +string +debug +value of every secret'
kt modules mock_talks
like 'details: a verb' "$out" 'greet +\[name=string\] +say hello|greet .* say hello'
kt --json modules mock_talks
is 'verbs as JSON' "$(json out '[v["name"] for v in rows[0]["verbs"]]')" "['greet', 'refuse']"
is 'choices as JSON' "$(json out '[(o["name"], o["type"], o["default"]) for o in rows[0]["options"]]')" \
    "[('mood', 'choice', 'calm|calm|merry')]"
kt modules nosuch
is 'not installed: not_found' "$rc" 3
like 'not installed: says where' "$err" "no module 'nosuch' is installed in"

kt modules >/dev/null
all=$(wc -l <out)
export MOCK_TALKS_DIES=1
kt modules
is 'one that dies: exit 0' "$rc" 0
like 'one that dies is a row' "$out" $'mock_talks.so\t-\t-\t-\t-\tmodule_error\twas killed by signal 9'
like 'with the others before it' "$out" $'^cache\t'
is 'and after it' "$(wc -l <out)" "$all"
kt modules mock_talks
is 'asked for alone: module_error' "$rc" 25
like 'asked for alone: says how' "$err" 'mock_talks: was killed by signal 9 .* when it was loaded'
kt --json modules
is 'dead as JSON' "$(json out '[r["status"] for r in rows if r["path"].endswith("mock_talks.so")]')" \
    "['module_error']"
service dies 'read required mock_talks'
kt check dies
is 'check: module_error' "$rc" 25
like 'check: says which line, which module, how' "$err" 'mock_talks[^ ]* of [^ ]*dies:1 was killed by signal 9'
is 'check: one line' "$(wc -l <err)" 1
unset MOCK_TALKS_DIES

# ---- check ----

kt check
is 'check: ok' "$rc $err" '0 '
kt check dies
is 'check: what is not wrong is ok' "$rc" 0
service crash 'read required mock_crash'
kt check crash
like 'check: a crash in open' "$rc $err" '^25 .*mock_crash[^ ]* of [^ ]*crash:1 was killed by signal 6'
service bad 'read requird debug'
kt check bad
is 'a wrong file: config_error' "$rc" 26
like 'a wrong file: FILE:LINE:COL: error: text' "$out" "^$TESTTMP/etc/bad:1:6: error: expected required"
is 'a wrong file: one line on standard error' "$(wc -l <err)" 1
kt check "$TESTTMP/etc/bad"
is 'as a path' "$rc" 26
kt --json check bad
is 'as JSON' "$(json out '(rows[0]["level"], rows[0]["line"], rows[0]["column"])')" "('error', 1, 6)"
is 'the error as JSON' "$(json err 'rows[0]["status"]')" config_error
service odd 'read optional debug get=unavailable' 'read required debug value=x' 'write required debug'
kt check odd
like 'a warning does not fail' "$rc $out" '^0 .*: warning: '
kt check --strict odd
is 'but with --strict' "$rc" 26
service br "read required file path=$TESTTMP/a path=$TESTTMP/b"
kt check br
like 'an option of a module: the place once' "$out" \
    "^$KEYTURN_CONFIG_DIR/br:1:[0-9]+: error: option 'path' is given twice"
kt --json check br
is 'the place as JSON' "$(json out '(rows[0]["line"], rows[0]["column"] > 1, rows[0]["message"])')" \
    '(1, True, "option '"'path'"' is given twice")'
service br "read required file [path=/a b] \\" '   path=/c'
kt check br
like 'on the next line of it' "$out" "^$KEYTURN_CONFIG_DIR/br:2:4: error: option 'path' is given twice"
service br 'read required file path="/a b"'
kt check br
like 'quotes: what to write instead' "$out" '\[path=/a b\] holds a blank'
service br "read required file path=$TESTTMP/x passphrase" "write required file path=$TESTTMP/x"
kt check br
like 'one store with two sets of options' "$out" "line 2 differ in 'passphrase': give both the same"
service br 'read optional env file=/x fill' '-read optional nosuch max-stale=1h' 'read required debug'
kt check br
like 'an override is never filled' "$out" 'warning: fill means nothing here: overrides are never filled'
unlike 'and nothing else is said of fill' "$out" 'fill makes copies'
like 'not installed' "$out" "br:2:1: info: module 'nosuch' is not installed"
: >"$KEYTURN_CONFIG_DIR/br"
kt check --strict br
like 'no lines' "$rc $out" '^26 .*/br: warning: there are no read lines.*/br: warning: there are no write'
kt check nofile
like 'a service without a file' "$rc $out" "^0 .*warning: there is no file for service 'nofile'"
unlike 'nothing of that name is here' "$out" '\./nofile'
: >nofile
kt check --strict nofile
like 'a file of that name is here' "$rc $out" '^26 .*say \./nofile, '
kt --json check nofile
is 'no line' "$(json out '(rows[0]["line"], rows[0]["column"])')" '(None, None)'
service hangs 'read required mock_hang'
kt --timeout 100s check hangs
is 'a module that hangs in get is not asked' "$rc" 0

# ---- verbs ----

kt mock_talks greet
is 'a verb, with defaults' "$rc $out" '0 hello, world
mood calm'
kt mock_talks greet who=you loud
is 'with words' "$rc $out" '0 HELLO, you
mood calm'
service talks 'read required mock_talks mood=merry'
kt -s talks mock_talks greet
like 'with the options of the service'"'"'s line' "$out" 'mood merry'
kt --json mock_talks greet
is 'as JSON' "$(json out '[r["text"] for r in rows]')" "['hello, world', 'mood calm']"
kt mock_talks refuse
is 'its failure: exit code' "$rc" 5
is 'its failure: in its words, one line' "$(grep -c 'not today; come back tomorrow' err) $(wc -l <err)" '1 1'
kt mock_talks greet whom=you
is 'an unknown word' "$rc" 26
kt mock_talks
like 'which verb?' "$rc $err" '^2 .*greet, refuse'
kt mock_talks grete
like 'no such verb' "$rc $err" "^2 .*no verb 'grete'; it has: greet, refuse"
kt mock_good greet
like 'no verbs at all' "$rc $err" '^2 .*mock_good has no verbs'
service names 'read required mock_names count=3'
kt -s names mock_names copy it to/here --twice
is 'a verb of two words, with a path from here' "$rc $out" "0 to=$TESTTMP/to/here
twice="
is 'how far it is, no file is told' "$err" ''
kt -s names mock_names copy it --to=/abs
is 'an option as options look elsewhere' "$rc $out" '0 to=/abs'
kt -s names mock_names copy it to=there
is 'the same, as in service files' "$rc $out" "0 to=$TESTTMP/there"
kt help mock_names
is 'its verbs' "$rc $out" '0 keyturn mock_names copy it TO [twice]
    copy it somewhere
keyturn mock_names copy
    copy nothing'
kt mock_names copy it --help
like 'one with its options' "$out" 'to=path +where to.*twice +say it twice'
kt help mock_names dance
like 'help for no verb of it' "$rc $err" "^2 .*no verb 'dance'"
kt -s names mock_names copy
is 'one word of the two is another verb' "$rc $out" '0 '
kt -s names mock_names copy it --thrice /x
like 'an option that the verb has not got' "$rc $err" "^26 .*unknown option|^26 .*given twice"
kt -s names mock_names it
is 'half a verb' "$rc" 2
kt -s bad mock_talks greet
is 'a wrong service does not become the defaults' "$rc" 26
kt ../mock_talks greet
is 'no path is a module' "$rc" 2

# ---- lists ----

service long 'read required mock_names count=40000'
kt -s long list
is 'a long list: every name, once' "$rc $(sort -u <<<"$out" | wc -l) $(wc -l <<<"$out")" '0 40000 40000'
is 'its first piece is in order' "$(head -n 32768 <<<"$out" | LC_ALL=C sort -c 2>&1)" ''
kt -s long --json list
is 'the same as JSON' "$rc $(wc -l <<<"$out")" '0 40000'
kt -s names list
is 'a short one is in order' "$out" 'n/0000000
n/0000001
n/0000002'

# ---- conform ----

kt conform mock_good
is 'conform: a good module' "$rc" 0
kt conform mock_liar
ok 'conform: a liar fails' test "$rc" -ne 0
kt conform nosuch
ok 'conform: none at all fails' test "$rc" -ne 0

finish
