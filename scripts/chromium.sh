#!/bin/sh
# A Chromium for the tests of pages: on Debian as root it is installed when it is missing.
set -eu
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if [ -n "${CHROME_PATH:-}" ] || ls "$HOME"/.cache/ms-playwright/chromium-* >/dev/null 2>&1; then
  exit 0
fi
if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing chromium for the tests of pages …"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 && exit 0
  echo "That failed." >&2
fi
echo "No Chromium: tests of pages are not run. Install one (apt-get install chromium, or" >&2
echo "$PWD/.venv/bin/playwright install chromium), or name it in CHROME_PATH." >&2
