#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/bin/inv" backup "$@"
