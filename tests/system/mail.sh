#!/bin/sh
# The email channel against npm's smtp-server, its mails read by npm's mailparser. Skipped without node, openssl or the
# modules (tests/system/install-modules installs them).
here=$(cd "$(dirname "$0")" && pwd)
for program in node openssl; do
	if ! command -v $program >/dev/null; then
		echo "skipped: no $program"
		exit 77
	fi
done
if [ ! -d "$here/node_modules/smtp-server" ] || [ ! -d "$here/node_modules/mailparser" ]; then
	echo "skipped: the node modules are not installed; tests/system/install-modules does that"
	exit 77
fi
exec node --test-reporter=tap "$here/mail.mjs" ./tests/system/send_mail
