#!/bin/sh
# Writes the secret for httpd, waits until the names of the sidecars resolve, then executes httpd.
set -eu
: "${MOD_TS_SECRET_FILE:?must name the file of the shared secret, for example /run/mod-ts/secret}"
: "${MOD_TS_SIDECARS:?must be the number of sidecars}"

# Attack: a secret that contains a line break would inject a directive.
secret=$(cat "$MOD_TS_SECRET_FILE")
case $secret in
"" | *[!A-Za-z0-9_-]*)
    echo "mod_ts: $MOD_TS_SECRET_FILE must hold letters, digits, - and _ only" >&2
    exit 1
    ;;
esac
# The directory is in memory and ends with the container.
umask 077
printf 'Define MOD_TS_SECRET %s\n' "$secret" >/run/httpd/secret.conf
# Each of several sidecars has a directory of its own, so no single socket tells whether any runs.
if [ "$MOD_TS_SIDECARS" -eq 1 ]; then
    echo 'Define MOD_TS_ONE_SIDECAR' >>/run/httpd/secret.conf
else
    echo 'Define MOD_TS_ALIVE /run/mod-ts' >>/run/httpd/secret.conf
    MOD_TS_BALANCER=on
fi
[ "${MOD_TS_BALANCER:-off}" = off ] || echo 'Define MOD_TS_BALANCER' >>/run/httpd/secret.conf
[ "${MOD_TS_TLS:-off}" = off ] || echo 'Define MOD_TS_TLS' >>/run/httpd/secret.conf
[ -z "${MOD_TS_RUN:-}" ] || printf 'Define MOD_TS_RUN "%s"\n' "$MOD_TS_RUN" >>/run/httpd/secret.conf

# httpd resolves the name once, and does not start without it. After a reboot, the order of compose.yaml is not kept.
count() { getent ahostsv4 sidecar | grep -c STREAM; }
tries=0
until [ "$(count)" -ge "$MOD_TS_SIDECARS" ] || [ "$tries" -ge 30 ]; do
    tries=$((tries + 1))
    sleep 1
done

# Stale pid file of a killed container; httpd would mistake it for a running server.
rm -f /run/httpd/httpd.pid
exec "$@"
