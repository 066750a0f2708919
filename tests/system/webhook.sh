#!/bin/sh
# The webhook channel against a receiver that judges with npm's standardwebhooks and cloudevents. Skipped without node
# or the modules (tests/system/install-modules installs them).
here=$(cd "$(dirname "$0")" && pwd)
if ! command -v node >/dev/null; then
	echo "skipped: no node"
	exit 77
fi
if [ ! -d "$here/node_modules/standardwebhooks" ] || [ ! -d "$here/node_modules/cloudevents" ]; then
	echo "skipped: the node modules are not installed; tests/system/install-modules does that"
	exit 77
fi
exec node --test-reporter=tap "$here/webhook.mjs" ./tests/system/send_webhook
