#!/bin/sh
# Creates the secrets of compose.prod.yaml and of deploy/kubernetes, in the directory secrets beside this script, or in that of the
# argument. Existing files are kept.
set -eu

folder=${1:-$(dirname "$0")/secrets}
# The directory keeps other users of this machine out. The files themselves must be readable: compose mounts them with their mode
# for users of the containers, which do not exist on this machine.
mkdir -p -m 700 "$folder"
cd "$folder"
umask 022
random() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
for name in mod_ts_secret mod_ts_login_key mariadb_password mariadb_root_password; do
    [ -s "$name" ] || random >"$name"
done
[ -s mod_ts_dsn ] || printf 'mariadb://sidecar:%s@mariadb/site' "$(cat mariadb_password)" >mod_ts_dsn
[ -s mod_ts_sessions ] || printf 'redis://redis:6379' >mod_ts_sessions
