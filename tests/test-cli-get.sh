#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyturn get and explain: bytes, statuses and exit codes, JSON, members.
# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

service deepseek 'read required debug value=sk-123'

kt get deepseek/api
is 'the value' "$rc $out" '0 sk-123'
is 'no newline in a pipe' "$(wc -c <out)" 6
is 'silence otherwise' "$err" ''

# ---- every status has its exit code ----

while read -r status code; do
    service "s-$code" "read required debug get=$status"
    kt -s "s-$code" get a/b
    is "$status: exit $code" "$rc" "$code"
    is "$status: nothing on standard output" "$out" ''
    is "$status: one line" "$(wc -l <err)" 1
    like "$status: begins with keyturn: and names the secret" "$err" '^keyturn: .*a/b'
    kt -s "s-$code" --json get a/b
    is "$status: an object" "$rc $(json err 'rows[0]["status"], len(rows[0]["message"]) > 0, len(rows)')" \
        "$code ('$status', True, 1)"
    kt -s "s-$code" explain a/b
    is "$status: explain ends as get" "$rc" "$code"
done <<'EOF'
not_found 3
denied 4
locked 5
unavailable 6
throttled 7
timeout 8
busy 10
disabled 18
corrupt 21
EOF

# ---- JSON ----

kt --json get deepseek/api
is 'JSON: one object' "$rc $(json out 'len(rows)')" '0 1'
is 'JSON: value, name, module, line' \
    "$(json out '[rows[0][k] for k in ("name", "value", "module", "line", "state", "stale")]')" \
    "['deepseek/api', 'sk-123', 'debug', 1, 'enabled', False]"
is 'JSON: members' "$(json out 'sorted(rows[0])')" \
    "['age', 'attributes', 'copy', 'created', 'expired', 'expires', 'file', 'line', 'module', 'name', 'not_before', 'not_yet', 'override', 'stages', 'stale', 'state', 'value', 'version']"

# ---- a member of an object ----

service object 'read required debug value={"k":"a\"b\u00e9","n":[1,{"x":2}],"e":""}'
kt -s object get a --field k
is 'a string as it is' "$rc $out" '0 a"bé'
kt -s object get a --field n
is 'others as JSON' "$rc $out" '0 [1,{"x":2}]'
kt -s object get a --field e
is 'an empty string' "$rc $(wc -c <out)" '0 0'
kt -s object get a --field x
is 'a nested member is none' "$rc $out" '3 '
like 'and is named' "$err" "no member 'x'"
kt -s object get a --field k --json
is 'as JSON' "$rc $(json out 'rows[0]["value"], rows[0]["field"]')" "0 ('a\"bé', 'k')"
kt get a --field k
is 'no object' "$rc" 21

# ---- explain ----

service two 'read optional debug get=unavailable' 'read required debug value=second id=debug:2'
kt -s two explain a
is 'explain: exit 0' "$rc" 0
like 'a head' "$out" '^LINE +CONTROL +MODULE +STATUS +ACTION'
like 'the first line' "$out" 'two:1 +optional +debug +unavailable'
like 'the second line' "$out" 'two:2 +required +debug +success'
like 'the outcome' "$out" 'a: success, version debug:2 from debug'
ok 'the value is not shown' test -z "$(grep second out)"
kt -s two --json explain a
is 'explain as JSON' "$(json out '[(r["line"], r["status"]) for r in rows[:-1]], rows[-1]["outcome"]')" \
    "([(1, 'unavailable'), (2, 'success')], 'success')"

kt -s nosuch --json explain a
is 'the built-in service has no lines' "$(json out 'rows[0]["file"], rows[0]["line"]')" \
    "('builtin', None)"

# ---- a service without a file, or without lines ----

kt -s nosuch get a
like 'is warned of' "$(head -n 1 err)" \
    "^keyturn: warning: there is no file for service 'nosuch': the default store is used"
kt -s nosuch --json get a
is 'as an object' "$(json err 'rows[0]["level"]')" warning
kt -q -s nosuch get a
unlike 'not with -q' "$err" 'warning'
kt get a
is 'nothing is said of one with a file' "$rc $err" '0 '
: >"$KEYTURN_CONFIG_DIR/empty"
kt -s empty get a
like 'no lines' "$rc $err" "^22 .*a: service 'empty' has no read lines"
kt -s empty list
like 'no lines: list' "$rc $err" "^22 .*service 'empty' has no read lines"

# ---- names ----

kt get 'abcd e/f'
like 'the byte of the character' "$rc $err" '^14 .*\(byte 5\)$'
kt get "$(printf 'n%.0s' {1..600})"
ok 'too long a name is not repeated' test "${#err}" -lt 120

# ---- nobody to be asked ----

service asks 'read required mock_asks from=?'
kt -s asks get a </dev/null
like 'what was to be asked, and why it was not' "$rc $err" \
    "^5 .*a person has to answer 'What is it\?', .* there is no terminal, or the program"

# ---- deadline, logs ----

service slow 'read required debug delay=20s'
for _ in 1 2 3 4 5; do # 10 s without it, each time; a machine that stops for so long does that once
    SECONDS=0
    kt -s slow --timeout 300ms get a
    [ "$SECONDS" -ge 5 ] || break
done
is '--timeout holds' "$rc" 8
ok 'and soon' test "$SECONDS" -lt 5
kt -vv get a
is '-vv: the value and nothing else on standard output' "$rc $out" '0 sk-123'
ok '-vv: the value is in no log' test -z "$(grep sk-123 err)"

finish
