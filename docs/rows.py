#!/usr/bin/env python3
"""Makes a SQLite file of a database that restore.py has brought back as rows: rows.py FOLDER FILE.sqlite

Tables, columns and rows come back, each value as packstone stores it; no keys, views or other objects: FOLDER/schema.json has what
is known of these, with the SQL of the engine that they come from. pipeline/database/rows/STREAM.md says how the bytes are laid out.
Rows and their digests are checked. Needs memory for the largest table, and nothing but python3.
"""
import hashlib, io, json, os, pathlib, sqlite3, struct, sys

def uvarint(f):
    n = shift = 0
    while True:
        byte = f.read(1)[0]
        n, shift = n | (byte & 127) << shift, shift + 7
        if byte < 128:
            return n

def cells(row):                                           # the values of a row
    f = io.BytesIO(row)
    while kind := f.read(1):
        if kind[0] == 0:
            yield None
        elif kind[0] == 1:
            n = uvarint(f)
            yield n >> 1 ^ -(n & 1)
        elif kind[0] == 2:
            yield struct.unpack(">d", f.read(8))[0]
        else:
            data = f.read(uvarint(f))
            yield data.decode(errors="surrogateescape") if kind[0] == 3 else data

def run(f, before):                                       # the rows that a run leaves of those before it
    base, rows, at = f.read(8) == b"packrow1", [], 0
    while True:
        n = uvarint(f)
        operation, n = (3, n - 1) if base and n else (n & 3, n >> 2)
        if n == 0 and operation == 0:
            break
        if operation == 1:
            rows += before[at:at + n]
        if operation in (1, 2):
            at += n
        if operation == 3:
            rows.append(f.read(n))
    count, digest = uvarint(f), f.read(32)
    total = sum(int.from_bytes(hashlib.sha256(row).digest(), "big") for row in rows) % 2**256
    if count != len(rows) or digest != total.to_bytes(32, "big"):
        sys.exit(f"{f.name}: it is damaged: its rows are not those that its end tells of")
    return rows

def quoted(name):
    return '"' + name.replace('"', '""') + '"'

def joined(schema, name):                                 # how tables.json names a table
    return ".".join(([quoted(schema) if set('."') & set(schema) else schema] if schema else []) + [name])

def main(folder, file):
    folder = pathlib.Path(folder)
    if os.path.exists(file):
        sys.exit(f"{file} is there already")
    schema, out = json.loads((folder / "schema.json").read_text()), sqlite3.connect(file)
    columns = {joined(t.get("schema"), t["name"]): [c["name"] for c in t["columns"]] for t in schema["tables"]}
    for table in json.loads((folder / "tables.json").read_text()):
        rows = []
        for r in table["runs"]:
            with open(folder / r["path"], "rb") as f:
                rows = run(f, rows)
        names = columns[table["table"]]
        out.execute(f"CREATE TABLE {quoted(table['table'])} ({', '.join(map(quoted, names))})")
        out.executemany(f"INSERT INTO {quoted(table['table'])} VALUES ({', '.join('?' * len(names))})", (tuple(cells(row)) for row in rows))
        print(table["table"], len(rows), "rows")
    out.commit()

if __name__ == "__main__":
    main(*sys.argv[1:3]) if len(sys.argv) == 3 else sys.exit(__doc__)
