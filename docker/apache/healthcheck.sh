#!/bin/bash
# Healthy means: httpd serves the page of a handler after an access handler has allowed it, so both transports work. The image has
# no curl.
set -eu
exec 3<>/dev/tcp/127.0.0.1/8080
printf 'GET /.mod-ts/health HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
read -r status <&3
case $status in
*" 200 "*) ;;
*)
    echo "$status"
    exit 1
    ;;
esac
grep -q '^well$' <&3
