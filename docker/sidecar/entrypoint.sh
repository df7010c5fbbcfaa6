#!/bin/sh
# Creates the secret if it is missing, then executes mod-ts.
set -eu
: "${MOD_TS_SECRET_FILE:?must name the file of the shared secret, for example /run/mod-ts/secret}"

# compose.yaml: a new secret for each installation, in the volume shared with Apache. In production the file exists.
if [ ! -s "$MOD_TS_SECRET_FILE" ]; then
    # Its group is that of httpd; others may not read it.
    umask 027
    head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$MOD_TS_SECRET_FILE.$$"
    mv "$MOD_TS_SECRET_FILE.$$" "$MOD_TS_SECRET_FILE"
fi
exec node /srv/mod-ts/dist/cli/cli.js "$@"
