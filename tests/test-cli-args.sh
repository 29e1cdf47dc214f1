#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The command line itself: options, usage, help, standard descriptors.
# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

service deepseek 'read required debug value=v1' 'write required debug'

# ---- usage: one line on standard error, nothing on standard output, exit 2 ----

while IFS='|' read -r what words pattern; do
    # shellcheck disable=SC2086 # words it is
    kt $words
    is "$what: exit 2" "$rc" 2
    is "$what: nothing on standard output" "$out" ''
    is "$what: one line" "$(wc -l <err)" 1
    like "$what: says so" "$err" "$pattern"
done <<'EOF'
no command||no command
a missing name|get|get: something is missing: keyturn get NAME
a word too many|get a b|'b' is one word too many
unknown option|get a --frobnicate|get: unknown option '--frobnicate'
unknown letter|get a -x|unknown option '-x'
unknown option before the command|--frob get a|unknown option '--frob'
missing value|get a --version|--version needs a value
value for a flag|get a --fresh=1|--fresh takes no value
given twice|get a --field x --field y|--field is given twice
version and stage|get a --version x --stage current|--version and --stage exclude each other
fresh and max-age|get a --fresh --max-age 1s|--fresh and --max-age exclude
no duration|get a --max-age 5|'5' is no duration
no timeout|--timeout 0 get a|--timeout '0' is no duration
relative module directory|--module-dir . get a|not an absolute path
unknown command|frobnicate|'frobnicate' is neither a command nor an installed module
near a command|lst|is 'list' meant
swapped letters|gte a|is 'get' meant
no such verb|env frobnicate|no verb
help for nothing|help frobnicate|'frobnicate' is neither a command nor
attribute without =|set a --attr b|'b' is not KEY=VALUE
no time|set a --expires tomorrow|neither a time
February 30|set a --expires 2030-02-30T00:00:00Z|neither a time
stage of a set|set a --stage previous|neither current nor pending
stage by hand|stage a x previous|neither current nor pending
nobody current|stage a none current|only pending can be taken away
too many words for a set|set a b c|set: a word too many: keyturn set NAME \[FILE\]
a set of nothing|set|NAME \[FILE\] \[--attr KEY=VALUE\]… .*\[--trim\]$
expect of a version|delete a --version x --expect y|--expect is for the whole secret
EOF

# ---- options: before and after the command, joined and apart ----

for words in '-s deepseek get a' 'get a -s deepseek' '-sdeepseek get a' '--service=deepseek get a' \
    'get --service deepseek a' '-q get a' '-qs deepseek get a' '--timeout 5s get a' 'get -- a' \
    'get a --timeout=500ms --fresh'; do
    # shellcheck disable=SC2086
    kt $words
    is "keyturn $words" "$rc $out" '0 v1'
done
kt get -- -a
is 'after -- a name may begin with a dash' "$rc $out" '0 v1'
kt -s nosuch-service -s deepseek get a
is 'the last --service counts' "$rc $out" '0 v1'

# ---- help ----

kt help
is 'help: exit 0' "$rc" 0
for c in get set list versions stage delete restore repair explain check modules conform help; do
    like "help lists $c" "$out" "
  $c "
done
for c in get set list versions stage delete restore repair explain check modules conform help; do
    kt help "$c"
    cp out first
    like "help $c" "$rc $out" "^0 keyturn $c "
    kt "$c" --help
    ok "$c --help says the same" cmp out first
    is "$c --help: nothing on standard error" "$err" ''
done
kt -h
is '-h: exit 0' "$rc" 0
kt -V
like '-V' "$rc $out" '^0 keyturn [0-9]+\.[0-9]+'
kt --version
like '--version' "$rc $out" '^0 keyturn [0-9]+\.[0-9]+'

# ---- with --json errors are objects, wherever it stands ----

kt get --frob --json
is 'usage as an object' "$rc $(json err 'rows[0]["status"], len(rows)')" "2 ('usage', 1)"
kt --json
is 'no command, as an object' "$rc $(json err 'rows[0]["status"]')" '2 usage'

# ---- standard descriptors ----

"$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" get a >/dev/full 2>err
is 'a full device: exit 1' "$?" 1
like 'a full device: says so' "$(<err)" 'standard output: No space left'
"$KEYTURN" help >/dev/full 2>err
is 'help to a full device: exit 1' "$?" 1
"$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" get a >&- 2>err
is 'standard output closed: exit 1' "$?" 1
KEYTURN=$KEYTURN python3 -c '
import os, signal
r, w = os.pipe()
os.close(r)
os.dup2(w, 1)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
os.execv(os.environ["KEYTURN"], ["keyturn", "--module-dir", os.environ["KEYTURN_TEST_MODULES"], "get", "a"])' 2>err
is 'a broken pipe: exit 1' "$?" 1
is 'a broken pipe: nothing to say' "$(<err)" ''
printf v | "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" set a >/dev/full 2>err
is 'stored, and nobody told its id: exit 1' "$?" 1
like 'stored, and nobody told its id: says so' "$(<err)" \
    '^keyturn: a is stored, as version [0-9a-f-]{36}; standard output: No space left'
"$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" get a 2>&- >out
is 'standard error closed: the answer is there' "$? $(<out)" '0 v1'
"$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" get a <&- >out 2>err
is 'standard input closed: the answer is there' "$? $(<out)" '0 v1'
"$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" set a <&- >out 2>err
is 'standard input closed: nothing to set' "$?" 1
"$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" get nosuch >out 2>&-
is 'nothing to say it with: the answer still counts' "$?" 0

finish
