#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyturn unlock: each line whose module has something to unlock, and what it says.
# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

service deepseek 'read required debug'
kt unlock
is 'nothing to unlock' "$rc $out" '0 deepseek: nothing to unlock'
kt -s nosuch unlock
is 'nor in the store that needs no file' "$rc $out" '0 nosuch: nothing to unlock'

service open 'read required mock_door'
kt -s open unlock
is 'what is open' "$rc $out $err" '0 open:1 mock_door: unlocked '
kt -s open --json unlock
is 'as an object' "$(json out 'rows')" "[{'name': 'open:1 mock_door', 'result': 'unlocked'}]"
kt -q -s open unlock
is 'or in silence' "$rc $out$err" '0 '

service stuck 'read required mock_door door=stuck'
kt -s stuck unlock
is 'what cannot be unlocked: exit code, no result' "$rc $out" '22 '
like 'and the remedy, in one line' "$err" '^keyturn: [^ ]*/stuck:1: mock_door: .*ring the bell$'

service asks 'read required mock_door door=asks'
kt -s asks unlock </dev/null
is 'nobody to be asked' "$rc $(wc -l <err)" '5 1'

# ---- at a terminal ----

at_terminal sesame -- -s asks unlock
got="$rc ${out//$'\n'/|}"
like 'a person is asked' "$got" '^0 .*Word: .*\|asks:1 mock_door: opened by its word$'
unlike 'and the answer not shown' "$got" 'sesame'
at_terminal other -- -s asks unlock
like 'a wrong answer' "$rc $out" '^4 .*that is not the word$'

# ---- several lines ----

service several 'read fallback mock_door door=away max-stale=1h' 'read fallback debug' \
    'read required mock_door store=a'
kt -s several unlock
is 'one that fails does not keep the next from it' "$rc $out" '6 several:3 mock_door: unlocked'
like 'it is named' "$err" '/several:1: mock_door: .*the house is away; call it back$'
service twice 'read required mock_door' 'write required mock_door'
kt -s twice unlock
is 'a store that two lines name is unlocked once' "$rc $out" '0 twice:1 mock_door: unlocked'

echo 'read nonsense' >"$KEYTURN_CONFIG_DIR/wrong"
kt -s wrong unlock
is 'a service that is wrong' "$rc $out" '26 '
kt unlock now
is 'no words' "$rc" 2

finish
