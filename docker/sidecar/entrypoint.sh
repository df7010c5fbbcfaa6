#!/bin/sh
# Makes the secret where there is none, then becomes mod-ts.
set -eu

# compose.yaml: a new one for each installation, in the volume that Apache shares. In production the file is there.
if [ ! -s "$MOD_TS_SECRET_FILE" ]; then
    # Its group is the one of httpd; nobody else may read it.
    umask 027
    head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$MOD_TS_SECRET_FILE.$$"
    mv "$MOD_TS_SECRET_FILE.$$" "$MOD_TS_SECRET_FILE"
fi
exec node /srv/mod-ts/dist/cli.js "$@"
