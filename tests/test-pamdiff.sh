#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Random stacks: libpam, keyturn and a model must agree. See tests/pamdiff/pamdiff.py.
set -u
: "${srcdir:?}" "${builddir:?}" "${KEYTURN_TEST_MODULES:?}"

pam_debug=
for dir in /lib/*/security /usr/lib/*/security /lib64/security /lib/security; do
    if [ -e "$dir/pam_debug.so" ]; then
        pam_debug=$dir/pam_debug.so
        break
    fi
done
if [ -z "$pam_debug" ]; then
    echo '1..0 # SKIP no pam_debug.so here to compare with: install libpam-modules'
    exit 0
fi
if ! command -v python3 >/dev/null; then
    echo '1..0 # SKIP the stacks are made by python3: install it'
    exit 0
fi

# The same stacks each time: KEYTURN_PAMDIFF_SEED=$RANDOM looks for others.
export KEYTURN_PAMDIFF_SEED=${KEYTURN_PAMDIFF_SEED:-1}
PYTHONDONTWRITEBYTECODE=1 exec python3 "$srcdir/tests/pamdiff/pamdiff.py" \
    "$builddir/tests/pamdiff/oracle" "$pam_debug" \
    "$builddir/tests/pamdiff/subject" "$KEYTURN_TEST_MODULES" \
    "$srcdir/src/include/keyturn/status.h"
