#!/bin/sh
# Plays pip in tests. A test links its name in PATH to this file, with `version.sh` and `download.sh`
# beside the link: what it does when it is asked for its version, and for a download into $dest.
# shellcheck disable=SC1091,SC2034 # the two pieces are the test's, and use $dest
here=$(dirname "$0")
echo "$0 $*" >>"$here/calls"
for word; do
    [ "${last:-}" = --dest ] && dest=$word
    last=$word
done
case "$last" in
    --version) . "$here/version.sh" ;;
    *) . "$here/download.sh" ;;
esac
