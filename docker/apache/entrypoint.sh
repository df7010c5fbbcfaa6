#!/bin/sh
# Gives httpd the secret, waits until the sidecars have names, then becomes httpd.
set -eu

# Attack: a secret with a line end in it would be a directive of its own.
secret=$(cat "$MOD_TS_SECRET_FILE")
case $secret in
"" | *[!A-Za-z0-9_-]*)
    echo "mod_ts: $MOD_TS_SECRET_FILE must hold letters, digits, - and _ only" >&2
    exit 1
    ;;
esac
# The folder is in memory, and gone with the container.
umask 077
printf 'Define MOD_TS_SECRET %s\n' "$secret" >/run/httpd/secret.conf

# httpd looks the name up once and does not start without. After a restart of the machine nobody keeps the order of compose.yaml.
count() { getent ahostsv4 sidecar | grep -c STREAM; }
tries=0
until [ "$(count)" -ge "$MOD_TS_SIDECARS" ] || [ "$tries" -ge 30 ]; do
    tries=$((tries + 1))
    sleep 1
done

# Left behind where the container was killed; httpd would take it for a running one.
rm -f /run/httpd/httpd.pid
exec "$@"
