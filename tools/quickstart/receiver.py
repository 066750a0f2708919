#!/usr/bin/env python3
"""A receiver of webhooks that checks their signatures (Standard Webhooks, v1) and prints one JSON object a request.

	receiver.py --port N --secret SECRET

It stands in for tests/system/receiver.mjs where node or its modules are missing, and prints what of it the quickstart reads.
"""
import argparse
import base64
import hashlib
import hmac
import http.server
import json
import sys
import time

TOLERANCE = 300  # seconds that webhook-timestamp may be away


def judge(headers, body, key):
	"""None, or why the request is not what it should be."""
	name, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
	if not name or not stamp.isdigit() or abs(time.time() - int(stamp)) > TOLERANCE:
		return "webhook-id or webhook-timestamp is missing or wrong"
	wanted = base64.b64encode(hmac.digest(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256)).decode()
	given = [s[3:] for s in headers.get("webhook-signature", "").split() if s.startswith("v1,")]
	if not any(hmac.compare_digest(wanted, one) for one in given):
		return "no signature fits"
	return None


class Handler(http.server.BaseHTTPRequestHandler):
	protocol_version = "HTTP/1.1"

	def do_POST(self):
		body = self.rfile.read(int(self.headers.get("content-length", 0)))
		reason = judge(self.headers, body, self.server.key)
		try:
			event = json.loads(body)
		except ValueError:
			event, reason = {}, reason or "the body is no JSON"
		line = {"id": self.headers.get("webhook-id"), "type": event.get("type"), "subject": event.get("subject"),
			"time": event.get("time"), "verified": reason is None, "reason": reason, "path": self.path,
			"data": event.get("data")}
		# In one write: requests come on several threads.
		sys.stdout.write(json.dumps(line) + "\n")
		sys.stdout.flush()
		self.send_response(200 if reason is None else 401)
		self.send_header("Content-Length", "0")
		self.end_headers()

	def log_message(self, *args):
		"""The line above is the log."""


def main():
	parser = argparse.ArgumentParser()
	parser.add_argument("--port", type=int, required=True)
	parser.add_argument("--secret", required=True)
	options = parser.parse_args()
	server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
	secret = options.secret
	server.key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
	print(json.dumps({"listening": server.server_address[1]}), flush=True)
	server.serve_forever()


if __name__ == "__main__":
	main()
