# SPDX-License-Identifier: LGPL-2.1-or-later
"""www.py DIR: serve DIR on 127.0.0.1, write the port into DIR/.port. /to/URL redirects to URL,
/endless sends for ever, /log tells what was asked for."""
import ctypes
import http.server
import os
import sys
import time
import urllib.parse

asked = []


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        path = urllib.parse.unquote(self.path)
        if path == "/log":
            return self.send_text("\n".join(asked).encode())
        asked.append(path)
        if path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", path[4:])
            self.end_headers()
            return None
        if path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 65536)
                    time.sleep(0.005)  # or it comes to an end at the limit of lengths
            except OSError:
                return None
        return super().do_GET()

    def send_text(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


# PR_SET_PDEATHSIG: a test that was killed, or a wrapper around python that was, leaves no server.
parent = os.getppid()
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != parent:
    sys.exit(1)
os.chdir(sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(".port.new", "w") as f:
    f.write(str(server.server_port))
os.rename(".port.new", ".port")
server.serve_forever()
