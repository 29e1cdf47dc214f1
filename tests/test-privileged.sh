#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What a setuid program gets: /etc's service files only, no environment, no other modules.
. "${srcdir:?}/tests/cli.sh"
: "${builddir:?}" "${CC:?}"

if [ "$(id -u)" -ne 0 ]; then
    echo "1..0 # SKIP a setuid program of another user needs root"
    exit 0
fi

owner=65533 user=65534
# A place that another uid can reach, whatever TMPDIR is.
place=$(mktemp -d /tmp/keyturn-privileged.XXXXXXXX) || exit 99
trap 'rm -rf "$place"' EXIT
chmod 755 "$place"
mkdir -m 755 "$place/sysconf" "$place/modules" "$place/mine" "$place/home" "$place/home/.config" \
    "$place/home/.config/keyturn" || exit 99
for m in debug env cache; do
    install -m 644 "$KEYTURN_TEST_MODULES/$m.so" "$place/modules/" || exit 99
done

# The core with other compiled-in places: only these two files know them.
# shellcheck disable=SC2086 # flags are words
"$CC" ${CFLAGS:-} -std=gnu11 -D_GNU_SOURCE -DKT_SYSCONF_DIR="\"$place/sysconf\"" \
    -DKT_MODULE_DIR="\"$place/modules\"" -I "$srcdir/src/include" -I "$srcdir/src/core" \
    -o "$place/privileged" "$srcdir/tests/privileged.c" "$srcdir/src/core/find.c" \
    "$srcdir/src/core/places.c" "$builddir/.libs/libkeyturn-core.a" \
    >"$TESTTMP/build" 2>&1 || { sed 's/^/# /' "$TESTTMP/build"; echo "Bail out! it does not build"; exit 99; }
chown $owner "$place/privileged" && chmod 4755 "$place/privileged" || exit 99
chown -R $user "$place/mine" "$place/home"

echo 'read required debug value=from-etc' >"$place/sysconf/svc"
echo 'read required env' >"$place/sysconf/envy"
echo 'read required debug value=from-mine' >"$place/mine/svc"
echo 'read required debug value=from-home' >"$place/home/.config/keyturn/svc"
echo 'read required debug value=only-mine' >"$place/mine/other"

# as_user COMMAND...: with everything in the environment that a normal program would listen to
as_user()
{
    setpriv --reuid=$user --regid=$user --clear-groups env -i PATH=/usr/bin:/bin \
        HOME="$place/home" XDG_CONFIG_HOME="$place/home/.config" KEYTURN_CONFIG_DIR="$place/mine" \
        DEEPSEEK_API_KEY=sk-from-environment "$@"
}
p=$place/privileged

got=$(as_user "$p" who)
is "the program runs with another effective uid" "$got" "secure=1 uid=$user euid=$owner"
is "only the compiled-in place counts" "$(as_user "$p" get svc any)" from-etc
got=$(as_user "$p" get other any)
unlike "a service of the user's own is not seen" "$got" 'only-mine'
got=$(as_user "$p" config_dir "$place/mine")
like "config_dir is refused" "$got" '^config_error: .*privileged'
got=$(as_user "$p" module_dir "$place/modules")
like "module_dir is refused" "$got" '^config_error: .*privileged'
got=$(as_user "$p" get envy deepseek/api-key)
like "the environment is no store" "$got" '^(denied|unavailable|config_error): '
unlike "and nothing of it is given" "$got" 'sk-from-environment'
got=$(as_user "$p" verb)
like "no verbs" "$got" '^denied: .*privileged'

# The same program without the bit listens to the user's own.
chmod 755 "$p"
is "unprivileged, the user's place comes first" "$(as_user "$p" get svc any)" from-mine
is "unprivileged, the environment is a store" "$(as_user "$p" get envy deepseek/api-key)" \
    sk-from-environment

# Who may have written what a privileged program reads?
chmod 4755 "$p"
chown $user "$place/sysconf/svc"
got=$(as_user "$p" get svc any)
like "a service file of the real user's is refused" "$got" "^config_error: .*sysconf/svc"
chown 0 "$place/sysconf/svc"
chown $user "$place/modules/debug.so"
got=$(as_user "$p" get svc any)
like "a module of the real user's is refused" "$got" '^config_error: .*debug.so'
chown 0 "$place/modules/debug.so"
chmod 757 "$place/modules"
got=$(as_user "$p" get svc any)
like "a directory that everyone may write is refused" "$got" '^config_error: .*modules'
chmod 755 "$place/modules"
is "all well again" "$(as_user "$p" get svc any)" from-etc
finish
