#!/usr/bin/env bash
# Needs nothing but a shell.
set -euo pipefail
cd "$(dirname "$0")"
echo "Hello from $(basename "$PWD")."
echo "There are $(find . -path ./.home -prune -o -type f -print | wc -l) files here."
if command -v python3 >/dev/null; then
  python3 hello.py
else
  echo "Python is not installed; node is: $(node --version)"
fi
