#!/usr/bin/env python3
"""Brings files back from a packstone repository without packstone: with python3, age (1.3 or later) and zstd alone.

    restore.py -i IDENTITY list REPOSITORY                       the snapshots that are there
    restore.py -i IDENTITY ls REPOSITORY SNAPSHOT                what one holds
    restore.py -i IDENTITY restore REPOSITORY SNAPSHOT TARGET    brings it back; --only SOURCE/PATH: a part of it
    restore.py check REPOSITORY                                  is the SHA-256 of each object its name; needs no identity

REPOSITORY is a directory, IDENTITY a file of age identities that is not itself encrypted, SNAPSHOT the beginning of an id, or
`latest`; TARGET is empty or absent. archive/FORMAT.md says how the bytes are laid out, docs/emergency.md what is NOT checked.
"""
import argparse, base64, collections, contextlib, datetime, grp, hashlib, io, itertools, json, os, pathlib, pwd, re, stat, struct, subprocess, sys, tempfile

ZSTD, FEATURES, PAGE_FEATURES = ["zstd", "-dcq"], {"members", "forget", "moved", "roll-up"}, {"holes", "times", "unknown"}
FILE, DIRECTORY, SYMLINK, FIFO, CHARACTER, BLOCK, SOCKET = range(1, 8)
HOLE, problems = bytes(32), []
USERS, GROUPS = {u.pw_name: u.pw_uid for u in pwd.getpwall()}, {g.gr_name: g.gr_gid for g in grp.getgrall()}

class Damaged(Exception):
    """Something is missing, has another SHA-256 than its name, or does not open."""
PROBLEMS = (Damaged, OSError, ValueError, LookupError, struct.error)

def tell(text):
    print("restore.py:", os.fsencode(str(text)).decode(errors="replace"), file=sys.stderr)

@contextlib.contextmanager
def noted(what):                                          # what goes wrong here is told, and concerns nothing else
    try:
        yield
    except PROBLEMS as e:
        problems.append(what)
        tell(f"{os.fsdecode(what)}: {e}")

def run(tool, data, stdout=subprocess.PIPE):
    done = subprocess.run(tool, input=data, stdout=stdout, stderr=subprocess.PIPE)
    if done.returncode:
        raise Damaged(f"{tool[0]}: {done.stderr.decode(errors='replace').strip().splitlines()[:1]}")
    return done.stdout

class Column(io.BytesIO):
    """The values of a column of a page, one after the other; zeros where it ends."""
    def u(self):                                          # a uvarint
        n = shift = 0
        while byte := self.read(1):
            n, shift = n | (byte[0] & 127) << shift, shift + 7
            if byte[0] < 128:
                break
        return n
    def s(self):                                          # a signed number
        n = self.u()
        return n >> 1 ^ -(n & 1)
    def text(self):
        return self.read(self.u())
    def rest(self, value):                                # all values to the column's end
        while self.tell() < self.getbuffer().nbytes:
            yield value()
    def sparse(self, value):                              # row → value
        row, out = -1, {}
        for distance in self.rest(self.u):
            row += distance
            out[row] = value()
        return out

def cbor(b, at=0):                                        # a value, and where the next one begins
    major, n, at = b[at] >> 5, b[at] & 31, at + 1
    if n > 23:
        size = 1 << n - 24
        n, at = int.from_bytes(b[at:at + size], "big"), at + size
    if major == 0:
        return n, at
    if major < 4:
        return b[at:at + n] if major == 2 else b[at:at + n].decode(), at + n
    values = []
    for _ in range(n * (major - 3)):
        value, at = cbor(b, at)
        values.append(value)
    return (values if major == 4 else dict(zip(values[::2], values[1::2]))), at

def directory(d):                                         # [(id, length), …] of a pack's chunks in their order
    version, frames, chunks = struct.unpack_from("<B3xII", d)
    if version != 1:
        raise Damaged("a pack's directory has another version")
    ids = 12 + 8 * frames + 4 * chunks
    lengths = struct.unpack_from(f"<{chunks}I", d, 12 + 8 * frames)
    return [(d[ids + 32 * i:ids + 32 * i + 32], n) for i, n in enumerate(lengths)]

Node = collections.namedtuple("Node", "type mode uid gid user group known links device size mtime inode rdev target xattrs unknown extents chunks")

def rows(page):                                           # (path, flags, Node or None, extents, [(id, length, pack), …]) of each row; height
    p = cbor(page)[0]
    if p["v"] != 1 or set(p.get("requires", [])) - PAGE_FEATURES:
        raise Damaged(f"a page of a tree needs a newer program: version {p['v']}, {p.get('requires')}")
    c = collections.defaultdict(Column, {key: Column(value) for key, value in p.items() if isinstance(value, bytes)})
    lists = list(c["attrs"].rest(lambda: [(c["attrs"].text(), c["attrs"].text()) for _ in range(c["attrs"].u())]))
    rdev, target, xattrs, unknown = (c[k].sparse(c[k].text if k == "target" else c[k].u) for k in ("rdev", "target", "xattrs", "unknown"))
    extents, classes, height = c["extents"].sparse(lambda: spans(c["extents"])), [], p.get("height", 0)
    packs = [c["pack.name"].getvalue()[32 * c["frame.pack"].u():][:32].hex() for _ in c["frame.stored"].rest(c["frame.stored"].u)]
    path, mtime, inode, frame, out = b"", 0, 0, 0, []
    for i in range(p["rows"]):
        path = path[:c["path.shared"].u()] + c["path.bytes"].read(c["path.length"].u())
        flags, node, chunks = c["flags"].u(), None, []
        if not height and not flags & 6:
            number = c["class"].u()
            while len(classes) <= number:                 # classes are numbered in the order in which rows come to need them
                classes.append([c["class." + k].text() if k in ("user", "group") else c["class." + k].u() for k in Node._fields[:9]])
            size, mtime, inode = c["size"].u(), mtime + c["mtime"].s(), inode + c["inode"].s()
            ns = ((mtime + 2**63) % 2**64 - 2**63) * 10**9 + int.from_bytes(c["mtime.ns"].read(4), "little")
            node = Node(*classes[number], size, ns, inode % 2**64, rdev.get(i, 0), target.get(i, b""),
                        lists[xattrs[i]] if i in xattrs else [], unknown.get(i, 0), extents.get(i), chunks)
        count = 1 if height else 0 if flags & 4 else c["chunk.count"].u()
        for _ in range(count):
            length = c["chunk.length"].s() + (node.size if node and count == 1 else 0)
            frame += c["chunk.frame"].s()
            chunks.append((c["chunk.id"].read(32), length, packs[frame - 1] if frame else None))
        out.append((path, flags, node, extents.get(i, []), chunks))
    return out, height

def spans(column):                                        # [(start, end), …] of what is data
    ends = list(itertools.accumulate(column.u() if i % 2 else column.s() for i in range(2 * column.u())))
    return list(zip(ends[::2], ends[1::2]))

def tree(repository, root):                               # [(path, Node), …]
    nodes = {}
    for run in cbor(root)[0].get("runs", []):
        for path, flags, node, extents, chunks in nodes_of(repository, run["id"], run.get("pack", b"").hex()):
            if flags & 4:
                nodes.pop(path, None)
            elif flags & 2:
                nodes[path].chunks.extend(chunks)
                (nodes[path].extents or []).extend(extents)
            else:
                nodes[path] = node
    return sorted(nodes.items(), key=lambda item: item[0].replace(b"/", b"\0"))

def nodes_of(repository, id, pack):                       # the rows of height 0 at or below a page
    below, height = rows(repository.page(id, pack))
    for row in below:
        yield from nodes_of(repository, row[4][0][0], row[4][0][2]) if height else [row]

class Repository:
    def __init__(self, root, identities):
        self.root, self.key = pathlib.Path(root), [word for file in identities for word in ("-i", file)]
        self.pages, self.loaded, self.headers = {}, set(), collections.defaultdict(list)
        self.format = json.loads((self.root / "packstone.json").read_bytes())
        self.config = self.newest("config")
        needs = set(self.config.get("required_features", [])) - FEATURES | set(self.format.get("requires", []))
        if self.format["version"] != 1 or self.format["encryption"] != "age-v1" or needs:
            raise Damaged(f"the repository needs a newer program: {needs or self.format}")
        for name in self.config.get("headers") or {}:
            for whose, header in json.loads((self.root / name).read_bytes()).items():
                self.headers[whose].append(base64.b64decode(header))
    def note(self, name, data):                           # the body of a signed object; WHO HAS SIGNED IT IS NOT CHECKED
        first, body = data.split(b"\n")[:2]
        if first != f"packstone/v1/{self.format['repository']}/{name}".encode():
            raise Damaged("it is not what its name says")
        return json.loads(body)
    def newest(self, kind):                               # of numbered objects the highest that can be read
        for path in sorted((self.root / kind).glob("*"), key=lambda path: path.name.zfill(40), reverse=True):
            with noted(path):
                return self.note(f"{kind}/{path.name}", path.read_bytes())
        return {}
    def open(self, name, data, stdout=subprocess.PIPE):   # what an age file holds; its header may lie below headers/
        payload = data[data.find(b"\n", data.find(b"\n--- ") + 1) + 17:]
        for attempt in [data] + [header + payload for header in self.headers[name]]:
            try:
                return run(["age", "-d", *self.key], attempt, stdout)
            except Damaged as e:
                problem = e
        raise Damaged(f"{name}: {problem}")
    def read(self, kind, name):                           # an object that is named by its SHA-256
        path = self.root / kind / name[:2] / name
        data = path.read_bytes() if path.exists() else b""
        if hashlib.sha256(data).hexdigest() != name:
            raise Damaged(f"{path} is {'damaged: its SHA-256 is not its name' if data else 'not there'}")
        return data
    def chunks(self, kind, pack):                         # (id, bytes) of each chunk of a pack
        with tempfile.TemporaryFile() as plain:
            self.open(pack, self.read(kind, pack), plain)
            plain.seek(-16, os.SEEK_END)
            length, version, _, tail = struct.unpack("<IBBxx8s", plain.read())
            if version != 1 or tail != b"packdir\n":
                raise Damaged(f"{pack} has no directory")
            plain.seek(-16 - length, os.SEEK_END)
            listed = directory(plain.read(length))
            os.lseek(plain.fileno(), 0, os.SEEK_SET)
            with subprocess.Popen(ZSTD, stdin=plain, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as zstd:
                for id, n in listed:
                    chunk = zstd.stdout.read(n)
                    if len(chunk) != n:
                        raise Damaged(f"{pack}: zstd stopped too early")
                    yield id, chunk
    def page(self, id, hint):                             # of a tree: out of the pack that is named, else of any
        there = self.packs("trees") if id not in self.pages else []
        for pack in [hint] * (hint in there) + there:
            if id not in self.pages and pack not in self.loaded:
                self.loaded.add(pack)
                with noted(pack):
                    self.pages.update(self.chunks("trees", pack))
        if id not in self.pages:
            raise Damaged(f"page {id.hex()} of the tree is lost")
        return self.pages[id]
    def packs(self, kind):                                # names of all that are there
        return sorted(path.name for path in (self.root / kind).glob("*/*") if len(path.name) == 64)
    def records(self):                                    # (hash, body) of each record, those that were rolled up first
        roll, found = self.newest("roll"), []
        for name in roll.get("force", []):
            lines = run(ZSTD, (self.root / "history" / name).read_bytes()).split(b"\n")[1:]
            found += [(entry["name"], base64.b64decode(entry["record"])) for entry in map(json.loads, filter(None, lines))]
        for path in sorted((self.root / "log").glob("*/*")):
            floor = roll.get("lanes", {}).get(path.parent.name, {"sequence": 0})["sequence"]
            if path.name.isdigit() and int(path.name) > floor:
                found.append((f"log/{path.parent.name}/{path.name}", path.read_bytes()))
        for name, data in found:
            with noted(name):
                if name not in (self.config.get("void") or {}):
                    yield hashlib.sha256(data).hexdigest(), self.note(name, data)
    def snapshots(self):                                  # [(id, the sealed part of its record, is it forgotten), …] by time
        out, records, kinds = [], list(self.records()), collections.defaultdict(set)
        subjects = [(subject, hash, r) for hash, r in records for subject in r.get("subjects") or []]
        cancelled = {(subject, cancel) for subject, _, r in subjects for cancel in r.get("cancels") or []}
        for subject, hash, r in subjects:
            kinds[subject] |= {r["kind"]} if (subject, hash) not in cancelled else set()
        for id, r in records:
            with noted(f"snapshot {id}"):
                if r["kind"] == "commit":
                    sealed = json.loads(run(ZSTD, self.open(id, base64.b64decode(r["sealed"]))))
                    out.append((id, sealed, "forget" in kinds[id] and "hold" not in kinds[id]))
        return sorted(out, key=lambda s: moment(s[1]["time"]))

def moment(text):                                         # of a time in RFC 3339, with as many digits as Python takes
    digits = re.sub(r"\.\d+", lambda m: m[0][:7].ljust(7, "0"), text)
    return datetime.datetime.fromisoformat(digits.replace("Z", "+00:00"))

class Restore:
    def __init__(self, repository, target):
        self.repository, self.target = repository, os.fsencode(target)
        self.nodes, self.links, self.wanted = {}, {}, collections.defaultdict(list)
    def make(self, path, node):                           # what has no content, and files that wait for theirs
        os.makedirs(os.path.dirname(path) or b".", exist_ok=True)
        if node.type == DIRECTORY:
            os.makedirs(path, 0o700, exist_ok=True)
        if node.type == FILE:
            first = self.links.setdefault((node.device, node.inode) if node.links > 1 and node.inode else path, path)
            if first != path:
                return os.link(first, path)
            with open(path, "xb") as f:
                f.truncate(node.size)
            at = 0
            for id, length, pack in node.chunks:
                if id != HOLE:
                    self.wanted[id].append((path, at, pack))
                at += length
        self.nodes[path] = node
    def content(self):                                    # pack by pack; what these do not give is looked for in others
        hints, others = {pack for uses in self.wanted.values() for _, _, pack in uses}, set(self.repository.packs("packs"))
        for number, pack in enumerate(sorted(hints & others) + sorted(others - hints), 1):      # the others after a repack, or damage
            if self.wanted:
                tell(f"pack {number} of {len(hints & others)}, or {len(others)}")
                with noted(pack):
                    self.take(pack)
        for path in {path for uses in self.wanted.values() for path, _, _ in uses}:
            with noted(path):
                os.rename(path, path + b".incomplete")
                del self.nodes[path]
                raise Damaged("parts of it are lost; what is left is in the file of this name with .incomplete")
    def take(self, pack):
        for id, chunk in self.repository.chunks("packs", pack):
            for path, at, _ in self.wanted.pop(id, []):
                with open(path, "r+b") as f:
                    for start, end in [(0, 2**63)] if self.nodes[path].extents is None else self.nodes[path].extents:
                        f.seek(max(start, at))            # what lies between extents stays a hole
                        f.write(chunk[max(start - at, 0):max(end - at, 0)])
    def dress(self, path, node):                          # owner, mode, attributes, time
        if node.type == SYMLINK:
            os.symlink(node.target, path)
        elif node.type in (FIFO, CHARACTER, BLOCK):
            os.mknod(path, 0o600 | {FIFO: stat.S_IFIFO, CHARACTER: stat.S_IFCHR, BLOCK: stat.S_IFBLK}[node.type], node.rdev)
        if os.geteuid() == 0 and (node.known & 2 or node.uid or node.gid or node.user or node.group):
            user, group = USERS.get(os.fsdecode(node.user), node.uid), GROUPS.get(os.fsdecode(node.group), node.gid)
            os.chown(path, user, group, follow_symlinks=False)
        if node.type != SYMLINK and (node.known & 1 or node.mode):
            os.chmod(path, node.mode)
        for name, value in node.xattrs:
            os.setxattr(path, name, value, follow_symlinks=False)
        if node.known & 4 or node.mtime:
            os.utime(path, ns=(node.mtime, node.mtime), follow_symlinks=False)
    def all(self, sources, only):                         # only: b"" or SOURCE/PATH/
        for source in sources:
            name, self.links = b"" if source["name"] == "/" else source["name"].encode(), {}
            for path, node in tree(self.repository, base64.b64decode(source["root"])):
                place = b"/".join(part for part in (name, path) if part)
                if (place + b"/").startswith(only) and node.type != SOCKET and not (node.unknown and node.type != DIRECTORY):
                    path = os.path.join(self.target, place) if place else self.target
                    with noted(path):
                        if {b"", b".", b".."} & set(place.split(b"/")) and place:
                            raise Damaged("this is no path that packstone writes")
                        self.make(path, node)
        self.content()
        for path, node in sorted(self.nodes.items(), reverse=True):       # what lies in a directory before its time is set
            with noted(path):
                self.dress(path, node)

def check(root):
    paths = [path for kind in ("packs", "trees", "index", "refs") for path in pathlib.Path(root, kind).glob("*/*") if len(path.name) == 64]
    damaged = [path for path in sorted(paths) if hashlib.sha256(path.read_bytes()).hexdigest() != path.name]
    print(*(f"damaged: {path}" for path in damaged), sep="\n")
    print(f"{len(damaged)} of {len(paths)} objects are damaged; whether any is missing was not looked at")
    return bool(damaged)

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-i", "--identity", action="append", default=[])
    p.add_argument("--only", default="", metavar="SOURCE/PATH")
    p.add_argument("verb", choices=["list", "ls", "restore", "check"])
    p.add_argument("repository")
    p.add_argument("snapshot", nargs="?", default="")
    p.add_argument("target", nargs="?")
    a = p.parse_args()
    if a.verb == "check":
        return check(a.repository)
    if not a.identity or (a.verb == "restore") != bool(a.target) or a.target and os.path.exists(a.target) and os.listdir(a.target):
        p.error("-i IDENTITY is needed, and for restore a TARGET that is empty")
    repository = Repository(a.repository, a.identity)
    snapshots = repository.snapshots()
    if a.verb == "list":
        for id, s, forgotten in snapshots:
            missed = sum(source["coverage"].get("missed", 0) for source in s["sources"])
            notes = ["(forgotten)"] * forgotten + [f"({missed} entries missed)"] * bool(missed)
            print(id[:12], s["time"], s["host"], s["set"] or "-", *(source["name"] for source in s["sources"]), *notes)
        return bool(problems)
    found = snapshots[-1:] if a.snapshot == "latest" else [s for s in snapshots if s[0].startswith(a.snapshot)]
    if len(found) != 1:
        p.error(f"{len(found)} snapshots begin with {a.snapshot!r}: see list")
    id, s, _ = found[0]
    tell(f"snapshot {id[:12]} of {s['time']}, host {s['host']}, set {s['set'] or '-'}")
    if a.verb == "restore":
        restore = Restore(repository, a.target)
        restore.all(s["sources"], os.fsencode(a.only.strip("/") + "/") if a.only.strip("/") else b"")
        tell(f"{len(restore.nodes)} entries are back, {len(problems)} problems are listed above; signatures and chunk ids were not checked")
    for source in s["sources"] if a.verb == "ls" else []:
        for path, node in tree(repository, base64.b64decode(source["root"])):
            name = f"{source['name'].rstrip('/')}/{path.decode(errors='backslashreplace')}"
            print(f"{'?-dlpcbs'[node.type]} {node.mode:4o} {node.size:12} {name}")
    return bool(problems)

if __name__ == "__main__":
    try:
        sys.exit(main())
    except PROBLEMS as e:
        sys.exit(f"restore.py: {e}")
