# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For tests of an installed copy: KEYTURN_PREFIX is where it is. Sourced.
: "${KEYTURN_PREFIX:?where keyturn is installed}" "${TESTTMP:?}" "${srcdir:?}" "${builddir:?}"
CC=${CC:-cc}

pc=$(find "$KEYTURN_PREFIX" -name keyturn.pc -print -quit)
[ -n "$pc" ] || { echo "Bail out! no keyturn.pc under $KEYTURN_PREFIX"; exit 99; }
PKG_CONFIG_PATH=$(dirname "$pc")
LD_LIBRARY_PATH=$(PKG_CONFIG_PATH=$PKG_CONFIG_PATH pkg-config --variable=libdir keyturn)
PATH=$KEYTURN_PREFIX/bin:$PATH
export PKG_CONFIG_PATH LD_LIBRARY_PATH PATH

# A service and a store of the test's own: root's homes are not taken from HOME.
export KEYTURN_CONFIG_DIR=$TESTTMP/etc/keyturn.d
store=$TESTTMP/store
mkdir -p "$KEYTURN_CONFIG_DIR" && mkdir -m 700 "$store" || exit 99
cat >"$KEYTURN_CONFIG_DIR/deepseek" <<END
read   required  file  path=$store/store.db key=$store/store.key
write  required  file  path=$store/store.db key=$store/store.key
END

tests=0 failures=0

# result STATUS NAME [FILE] - a line of TAP; what FILE holds is shown if it is a failure
result()
{
    tests=$((tests + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $tests - $2"
        return
    fi
    failures=$((failures + 1))
    echo "not ok $tests - $2"
    [ -z "${3:-}" ] || sed 's/^/#   /' "$3"
}

# skip NAME WHY
skip()
{
    tests=$((tests + 1))
    echo "ok $tests - $1 # SKIP $2"
}

plan()
{
    echo "1..$tests"
    exit $((failures > 0))
}
