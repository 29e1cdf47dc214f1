dnl SPDX-License-Identifier: Apache-2.0

dnl KT_TRY_FLAGS(VARIABLE, FLAGS, IF-TAKEN, IF-REFUSED)
dnl Link a program with FLAGS added to VARIABLE. Warnings are errors while we ask: clang takes flags
dnl that it does not know, and says so in a warning.
AC_DEFUN([KT_TRY_FLAGS], [
    AC_MSG_CHECKING([whether $CC takes $2])
    kt_saved_flags=$$1
    kt_saved_werror=$CFLAGS
    CFLAGS="$CFLAGS -Werror"
    $1="$$1 $2"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>
#include <string.h>]], [[char b[8]; memset(b, 0, sizeof(b)); return puts(b) < 0;]])],
        [kt_took=yes], [kt_took=no])
    $1=$kt_saved_flags
    CFLAGS=$kt_saved_werror
    AC_MSG_RESULT([$kt_took])
    AS_IF([test $kt_took = yes], [$3], [$4])
])

dnl KT_PROBE_CFLAGS(VARIABLE, FLAGS) - substitute those of FLAGS that the compiler takes
AC_DEFUN([KT_PROBE_CFLAGS], [
    AC_REQUIRE([AC_PROG_CC])
    $1=
    for kt_flag in m4_normalize([$2]); do
        KT_TRY_FLAGS([CFLAGS], [$kt_flag], [$1="$$1 $kt_flag"], [:])
    done
    AC_SUBST([$1])
])

dnl KT_PROBE_LDFLAGS(VARIABLE, FLAGS) - the same for the linker
AC_DEFUN([KT_PROBE_LDFLAGS], [
    $1=
    for kt_flag in m4_normalize([$2]); do
        KT_TRY_FLAGS([LDFLAGS], [$kt_flag], [$1="$$1 $kt_flag"], [:])
    done
    AC_SUBST([$1])
])

dnl KT_PROBE_FIRST(VARIABLE, KIND, FLAGS, [FLAGS]) - the first set that works; KIND is CFLAGS or CPPFLAGS
AC_DEFUN([KT_PROBE_FIRST], [
    $1=
    KT_TRY_FLAGS([$2], [$3], [$1="$3"], [
        m4_ifval([$4], [KT_TRY_FLAGS([$2], [$4], [$1="$4"], [:])], [:])])
    AC_SUBST([$1])
])

dnl KT_OPTIONAL(WHAT, SWITCH, LOOK) - turn SWITCH (yes, no, auto) into yes or no
dnl LOOK sets kt_found; `yes` without it is an error, never a quiet no.
AC_DEFUN([KT_OPTIONAL], [
    kt_found=no
    AS_IF([test "x$$2" != xno], [$3])
    AS_IF([test "x$$2" = xyes && test $kt_found = no],
        [AC_MSG_ERROR([the $1 cannot be built: see above what is missing])])
    $2=$kt_found
])
