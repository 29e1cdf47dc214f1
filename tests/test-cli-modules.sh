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
like 'details: a verb' "$out" 'greet +say hello'
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
service hangs 'read required mock_hang'
kt --timeout 5s check hangs
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
kt debug greet
like 'no verbs at all' "$rc $err" '^2 .*debug has no verbs'
kt -s bad mock_talks greet
is 'a wrong service does not become the defaults' "$rc" 26
kt ../mock_talks greet
is 'no path is a module' "$rc" 2

# ---- conform ----

kt conform mock_good
is 'conform: a good module' "$rc" 0
kt conform mock_liar
ok 'conform: a liar fails' test "$rc" -ne 0
kt conform nosuch
ok 'conform: none at all fails' test "$rc" -ne 0

finish
