#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyturn import of what Python's keyring keeps: the file of keyrings.alt, and items that the real
# python3-keyring put into GNOME Keyring.
# shellcheck source=tests/cli.sh disable=SC2154 # rc, out, err come from there
. "${srcdir:?}/tests/cli.sh"
# shellcheck source=tests/secret-service.sh
. "$srcdir/tests/secret-service.sh"

mkdir scratch
export TMPDIR=$TESTTMP/scratch
service deepseek "read required file path=$TESTTMP/s.db key=$TESTTMP/s.key" 'write required file'

# ---- the file ----

# put SERVICE USER PASSWORD...: as keyrings.alt's PlaintextKeyring does
cat >put.py <<'END'
import base64, configparser, os, string, sys
path = "python_keyring/keyring_pass.cfg"
legal = (string.ascii_letters + string.digits).encode()
def escape(s):
    return "".join(chr(c) if c in legal else "_%02X" % c for c in s.encode("utf-8"))
os.makedirs("python_keyring", exist_ok=True)
for i in range(1, len(sys.argv), 3):
    service, user, password = sys.argv[i:i + 3]
    config = configparser.RawConfigParser()
    config.read(path, encoding="utf-8")
    if not config.has_section(escape(service)):
        config.add_section(escape(service))
    config.set(escape(service), escape(user), "\n" + base64.encodebytes(password.encode()).decode())
    with open(path, "w", encoding="utf-8") as f:
        config.write(f)
END
long=$(printf 'l\303\266ng %.0s' {1..60})
python3 put.py deepseek api sk-1 deepseek me@example.com "$long" 'https://pypi.org/' __token__ pypi-1 \
    web empty ''
kt import python_keyring/keyring_pass.cfg
is 'a file of keyrings.alt, by its name' "$rc $out" "14 deepseek/api: imported
deepseek/me@example.com: imported
https://pypi.org//__token__: invalid: not a name: parts of letters, digits and _+=.@- joined by /; --map 'https://pypi.org//__token__=https-/pypi.org/__token__' gives it one
web/empty: imported: its value is empty"
like 'which lies there in the open' "$err" '\(python-keyring\).*still holds these values in the open'
kt get deepseek/api
is 'a value' "$out" sk-1
kt get deepseek/me@example.com
is 'a long one, of several lines' "$out" "$long"
kt import python_keyring/keyring_pass.cfg --only https://pypi.org//__token__ \
    --map https://pypi.org//__token__=pypi/token
is 'with the name that it needs' "$rc $out" '0 pypi/token: imported'
kt import python_keyring/keyring_pass.cfg --only web/empty --only deepseek/api
is 'again: nothing to do' "$rc $(grep -c unchanged out)" '0 2'

damaged()
{
    local what=$1 want=$2
    # shellcheck disable=SC2059
    printf "$3" >bad.cfg
    kt import --format python-keyring bad.cfg
    like "$what" "$rc $out$err" "$want"
}
damaged 'no base64' '^21 keyturn: bad.cfg, line 2, column 4: a value that is no base64; nothing was imported$' '[a]\nb = \n\t?\n'
damaged 'cut off' '^21 .*line 2, column 4: a value that is no base64' '[a]\nb =\n c2s'
damaged 'a value outside' '^21 .*line 1, column 1: a value before' 'b = c2s=\n'
damaged 'no bracket' '^21 .*line 1, column 1: .\]. is missing' '[a\nb = c2s=\n'
damaged 'no sign' '^21 .*line 2, column 1: .=. is missing' '[a]\nb\n'
damaged 'an encrypted one' '^22 .*bad.cfg is encrypted.*keyring get' '[keyring_2Dsetting]\nscheme = \n\tYQ==\n'
damaged 'a NUL in a name' '^21 .*line 1, column 1: a service' '[a_00b]\nb = c2s=\n'
kt list
is 'none of these stored anything' "$out" 'deepseek/api
deepseek/me@example.com
pypi/token
web/empty'

# ---- the Secret Service ----

if [ ! -e "$KEYTURN_TEST_MODULES/keyring.so" ]; then
    finish
fi
kt import --format python-keyring
is 'nobody there' "$rc" 6
is 'and nothing left behind' "$(ls scratch)" ''

python=
for each in python3 /usr/bin/python3; do
    if "$each" -c 'import keyring, secretstorage' 2>/dev/null; then
        python=$each
        break
    fi
done
if [ -z "$python" ] || ! command -v gnome-keyring-daemon >/dev/null || ! command -v dbus-daemon >/dev/null; then
    tests=$((tests + 1))
    echo "ok $tests # SKIP no python3-keyring or gnome-keyring here"
    finish
fi
bus_start
gnome_start pw
cat >store.py <<'END'
import sys
import keyring
from keyring.backends import SecretService
keyring.set_keyring(SecretService.Keyring())
for i in range(1, len(sys.argv), 3):
    keyring.set_password(*sys.argv[i:i + 3])
END
ok 'the real one stores' "$python" store.py svc.one alice 'pw 1' svc.one bob 'p\w2' 'https://u.example.org/x,y' \
    __token__ 'tok%3' two 'first last' four
kt import --format python-keyring
is 'all of it' "$rc $(sort out)" "14 https://u.example.org/x,y/__token__: invalid: not a name: parts of letters, digits and _+=.@- joined by /; --map 'https://u.example.org/x,y/__token__=https-/u.example.org/x-y/__token__' gives it one
svc.one/alice: imported
svc.one/bob: imported
two/first last: invalid: not a name: parts of letters, digits and _+=.@- joined by /; --map 'two/first last=two/first-last' gives it one"
like 'told where from' "$err" 'the Secret Service \(python-keyring\)'
kt get svc.one/alice
is 'a value' "$out" 'pw 1'
kt import --format python-keyring --only 'two/first last' --map 'two/first last=two/fl' \
    --only https://u.example.org/x,y/__token__ --map https://u.example.org/x,y/__token__=tok
is 'odd ones by another name' "$rc" 0
kt get two/fl
is 'the right one' "$out" four
kt get tok
is 'the other one' "$out" tok%3
kt import --format python-keyring --dry-run
is 'again: nothing to do' "$(grep -c unchanged out)" 2
gnome_lock
kt import --format python-keyring --timeout 20s
is 'a locked keyring is not an empty one' "$rc" 5
kt -s nosuch import --format python-keyring
ok 'no such service' test "$rc" -ne 0
finish
