#!/bin/sh
# Makes the files that compose.prod.yaml gives to the containers, in the folder secrets beside this script. Files that are there stay.
set -eu

folder=${1:-$(dirname "$0")/secrets}
# The folder keeps the users of this machine out. The files themselves must be readable: compose hands them over with the mode they
# have here, to users of the containers that do not exist here.
mkdir -p -m 700 "$folder"
cd "$folder"
umask 022
random() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
for name in mod_ts_secret mariadb_password mariadb_root_password; do
    [ -s "$name" ] || random >"$name"
done
[ -s mod_ts_dsn ] || printf 'mariadb://sidecar:%s@mariadb/site' "$(cat mariadb_password)" >mod_ts_dsn
