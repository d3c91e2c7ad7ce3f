#!/usr/bin/env bash
# crane 0.22.1: without a login it goes by the challenge of /v2/ alone; a challenge of the manifest itself is not looked at.
#
# Guess: crane follows the challenge of whatever it asks for, so that a manifest can lead it to an anonymous token.
# Seen: a registry that challenges /v2/ with Basic, and the manifest of a public image with Bearer.
#   GET /v2/ and then the manifest, both without a header; the 401 of the manifest is final: "UNAUTHORIZED". No token is fetched.
#   With Bearer at /v2/ it fetches a token there, and pulls; with Basic there and no challenge at the manifest it pulls as well.
# So a host that has public images beside private ones serves crane without a login only if public images need no token at all,
# or if /v2/ itself challenges with Bearer.
set -euo pipefail
dir=$(mktemp -d); trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
export GOPATH="$dir/go" GOBIN="$dir/bin" GOFLAGS=-modcacherw
go install github.com/google/go-containerregistry/cmd/crane@v0.22.1
cat >"$dir/registry.py" <<'PY'
import hashlib, http.server, json, subprocess, sys, threading
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}).encode()
DIGEST = "sha256:" + hashlib.sha256(MANIFEST).hexdigest()

class Registry(http.server.BaseHTTPRequestHandler):
    base = manifest = ""
    seen = []
    def log_message(self, *_): pass
    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)
    def do_GET(self):
        token = self.headers.get("Authorization", "-")
        path = self.path.partition("?")[0]
        self.seen.append(f"{self.command} {path} {token.split(' ')[0]}")
        bearer = f'Bearer realm="http://{self.headers["Host"]}/token",service="test"'
        if path == "/token":
            self.answer(200, b'{"token":"anonymous"}', Content_Type="application/json")
        elif path == "/v2/":
            self.answer(401, WWW_Authenticate={"basic": 'Basic realm="test"', "bearer": bearer}[self.base])
        elif token == "Bearer anonymous" or self.manifest == "open":
            self.answer(200, MANIFEST, Content_Type="application/vnd.oci.image.index.v1+json", Docker_Content_Digest=DIGEST)
        else:
            self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}', WWW_Authenticate=bearer)
    do_HEAD = do_GET

def pulled(base, manifest):
    Registry.base, Registry.manifest, Registry.seen = base, manifest, []
    done = subprocess.run([sys.argv[1], "manifest", "--insecure", f"127.0.0.1:{port}/public/app:v1"], capture_output=True, text=True)
    print(f"/v2/ {base}, manifest {manifest}: {'pulled' if done.returncode == 0 else done.stderr.strip()[-60:]}; {Registry.seen}")
    return done.returncode == 0

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
port = server.server_port
threading.Thread(target=server.serve_forever, daemon=True).start()
found = [pulled("basic", "bearer"), pulled("bearer", "bearer"), pulled("basic", "open")]
sys.exit(0 if found == [False, True, True] else 1)
PY
HOME="$dir" DOCKER_CONFIG="$dir" python3 "$dir/registry.py" "$dir/bin/crane"
