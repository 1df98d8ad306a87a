# SPDX-License-Identifier: BSD-2-Clause
"""
A small threaded web server that forgets nothing it was asked, and somebody who asks it all the time. What it keeps
is told by the argument; sessions come and go besides.
"""

import http.client
import http.server
import random
import socketserver
import sys
import threading
import time


class Visit:
    def __init__(self, path, headers):
        self.path = path
        self.headers = headers
        self.when = time.time()


class Session:
    def __init__(self, number):
        self.number = number


VISITS = []
BUSY = {}


def keep(kind, path, headers):
    if kind == "visit":
        VISITS.append(Visit(path, headers))
    elif kind == "dict":
        VISITS.append({"path": path, "status": 200})
    elif kind == "str":
        VISITS.append("answered " + path * 4)
    BUSY[len(VISITS) % 8] = [Session(number) for number in range(random.randrange(200))]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        keep(KIND, self.path, dict(self.headers))
        body = b"hello " * 50
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


def ask(port):
    number = 0
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", f"/page/{number}")
        connection.getresponse().read()
        connection.close()
        number += 1
        time.sleep(0.002)


KIND = sys.argv[1]
server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
threading.Thread(target=ask, args=(server.server_port,), daemon=True).start()
time.sleep(1)  # what is loaded at the first request is no leak
print("ready", flush=True)
sys.stdin.readline()
