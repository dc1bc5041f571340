package archive

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/crypto"
)

var generate = flag.Bool("generate", false, "write golden repositories that are not there yet")

// A golden repository is a directory in testdata: the objects as stored, and beside them
//
//	identity.txt   the age identity that opens the packs
//	domain.txt     origin and secret of the domain
//	chunks.txt     a line for each chunk: kind, pack, ordinal, id, length, SHA-256 of its bytes
//	refs.txt       a line for each refs object: name, full or delta, number of chunks when applied in this order
type golden struct {
	*bench
	dir   string
	index age.Identity
	lines []string
}

func goldenDirs(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob("testdata/v*")
	if err != nil || len(dirs) < 2 {
		t.Fatalf("golden repositories: found %q, %v", dirs, err)
	}
	return dirs
}

func openGolden(t *testing.T, dir string) *golden {
	t.Helper()
	g := &golden{bench: &bench{store: memory.New()}, dir: dir}
	g.identities = []age.Identity{mustParse(t, g.file(t, "identity.txt"))}
	origin, secret, _ := strings.Cut(strings.TrimSpace(g.file(t, "domain.txt")), " ")
	raw, err := hex.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	domain, err := crypto.OpenDomain(origin, raw)
	if err != nil {
		t.Fatal(err)
	}
	g.data, g.tree = domain.DataID(), domain.TreeID()
	format, err := ParseFormat([]byte(g.file(t, "repository/packstone.json")))
	if err != nil {
		t.Fatal(err)
	}
	if g.index, _, err = domain.IndexIdentity(format.Classic); err != nil {
		t.Fatal(err)
	}
	g.load(t)
	g.lines = strings.Split(strings.TrimSpace(g.file(t, "chunks.txt")), "\n")
	return g
}

func mustParse(t *testing.T, text string) age.Identity {
	t.Helper()
	identity, err := crypto.ParseIdentity(text)
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

func (g *golden) file(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(g.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// load copies the objects into the store.
func (g *golden) load(t *testing.T) {
	t.Helper()
	root := os.DirFS(filepath.Join(g.dir, "repository"))
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		return g.store.Put(t.Context(), path, data, sha256.Sum256(data))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (g *golden) list(t *testing.T, kind Kind) []store.Info {
	t.Helper()
	var infos []store.Info
	for info, err := range g.store.List(t.Context(), string(kind)+"/", "") {
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, info)
	}
	return infos
}

func nameOf(t *testing.T, object string) Name {
	t.Helper()
	name, err := ParseName(filepath.Base(object))
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func (g *golden) content(t *testing.T, kind Kind, name Name) []byte {
	t.Helper()
	sealed, err := GetContent(t.Context(), g.store, kind, name)
	if err != nil {
		t.Fatal(err)
	}
	content, err := OpenSealed(sealed, 0, g.index)
	if err != nil {
		t.Fatalf("open %s: %v", kind.Object(name), err)
	}
	return content
}

// line says of a chunk what chunks.txt does.
func line(c Chunk, data []byte) string {
	return fmt.Sprintf("%s %s %d %s %d %x", c.Place.Pack.Kind, c.Place.Pack.Name, c.Place.Ordinal, c.ID, c.Length, sha256.Sum256(data))
}

func TestGoldenRepositoriesAreRead(t *testing.T) {
	if *generate {
		generateGolden(t, "testdata/v1-hybrid", false)
		generateGolden(t, "testdata/v1-classic", true)
	}
	for _, dir := range goldenDirs(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			g := openGolden(t, dir)
			t.Run("from packs alone", g.readPacks)
			t.Run("by the index", g.readByIndex)
			t.Run("refs", g.readRefs)
		})
	}
}

func (g *golden) readPacks(t *testing.T) {
	var got []string
	reader := g.reader()
	for _, kind := range []Kind{Data, Trees} {
		for _, info := range g.list(t, kind) {
			pack, err := reader.Pack(t.Context(), kind, nameOf(t, info.Name), info.Size)
			if err != nil {
				t.Fatal(err)
			}
			d, err := reader.Directory(t.Context(), pack)
			if err != nil {
				t.Fatal(err)
			}
			want := slices.Collect(d.All(pack))
			err = reader.Fetch(t.Context(), pack, want, func(i int, data []byte) error {
				got = append(got, line(want[i], data))
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if problems, err := reader.Verify(t.Context(), pack, d); err != nil || len(problems) > 0 {
				t.Errorf("verify: %v, %v", problems, err)
			}
		}
	}
	g.compare(t, got)
}

func (g *golden) compare(t *testing.T, got []string) {
	t.Helper()
	want := slices.Clone(g.lines)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %d chunks, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
}

func (g *golden) readByIndex(t *testing.T) {
	x := NewIndex(0)
	for _, info := range g.list(t, Runs) {
		packs, err := ParseRun(g.content(t, Runs, nameOf(t, info.Name)))
		if err != nil {
			t.Fatal(err)
		}
		x.Add(packs...)
	}
	var got []string
	for _, l := range g.lines {
		id, err := ParseName(strings.Fields(l)[3])
		if err != nil {
			t.Fatal(err)
		}
		c, found := x.Lookup(ID(id))
		if !found {
			t.Errorf("the index does not know chunk %s", id)
			continue
		}
		data, err := g.reader().ReadChunk(t.Context(), c, nil)
		if err != nil {
			t.Error(err)
		}
		got = append(got, line(c, data))
	}
	g.compare(t, got)
}

func (g *golden) readRefs(t *testing.T) {
	s := &RefSet{}
	for _, l := range strings.Split(strings.TrimSpace(g.file(t, "refs.txt")), "\n") {
		var text, form string
		var chunks int
		if _, err := fmt.Sscan(l, &text, &form, &chunks); err != nil {
			t.Fatal(err)
		}
		change, err := ParseRefs(g.content(t, Refs, nameOf(t, text)))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Apply(change); err != nil || change.Full != (form == "full") || s.Chunks() != chunks {
			t.Errorf("refs %s: got %d chunks, full %v, %v; want %s", text, s.Chunks(), change.Full, err, l)
		}
	}
}

// generateGolden writes a repository of today's program; one that is there is never touched.
func generateGolden(t *testing.T, dir string, classic bool) {
	t.Helper()
	if _, err := os.Stat(dir); err == nil {
		return
	}
	identity, err := crypto.GenerateIdentity(classic)
	if err != nil {
		t.Fatal(err)
	}
	recipient, err := crypto.RecipientOf(identity)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := crypto.GenerateSigner("owner")
	if err != nil {
		t.Fatal(err)
	}
	format := NewFormat(owner.Verifier().Text(), classic)
	domain, err := crypto.NewDomain(format.Repository)
	if err != nil {
		t.Fatal(err)
	}
	g := &goldenWriter{t: t, dir: dir, store: memory.New(), domain: domain, classic: classic, recipient: recipient}
	g.file("identity.txt", fmt.Sprintf("%s\n", identity))
	g.file("domain.txt", fmt.Sprintf("%s %x\n", domain.Origin(), domain.Secret().Bytes()))
	encoded, err := EncodeFormat(format)
	if err != nil {
		t.Fatal(err)
	}
	g.file("repository/packstone.json", string(encoded))
	g.packs()
	g.save()
}

type goldenWriter struct {
	t         *testing.T
	dir       string
	store     *memory.Store
	domain    crypto.Domain
	classic   bool
	recipient age.Recipient
}

func (g *goldenWriter) file(name, content string) {
	g.t.Helper()
	path := filepath.Join(g.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		g.t.Fatal(err)
	}
}

// packs writes two packs of data, one of pages, an index run, and refs: a full list and a delta.
func (g *goldenWriter) packs() {
	b := &bench{g.store, nil, []age.Recipient{g.recipient}, g.domain.DataID(), g.domain.TreeID()}
	r := rand.New(rand.NewPCG(1, 1))
	data := b.write(g.t, WriterOptions{Kind: Data, PackSize: 150_000}, [][]byte{
		[]byte("a"), text(r, 200_000), noise(r, 66_000), text(r, 3_000), noise(r, 500), text(r, 40_000), make([]byte, 1<<20), noise(r, 70_000),
	})
	pages := b.write(g.t, WriterOptions{Kind: Trees}, [][]byte{text(r, 9_000), text(r, 16_000), noise(r, 20)})
	chunks := append(data.chunks, pages.chunks...)
	var lines strings.Builder
	for _, c := range chunks {
		content := append(data.bytes[c.ID], pages.bytes[c.ID]...)
		fmt.Fprintln(&lines, line(c, content))
	}
	g.file("chunks.txt", lines.String())
	_, index, err := g.domain.IndexIdentity(g.classic)
	if err != nil {
		g.t.Fatal(err)
	}
	g.seal(Runs, EncodeRun(append(data.packs, pages.packs...)), index)
	first, second := &RefSet{}, &RefSet{}
	for i, c := range chunks {
		if i != 3 {
			first.Add(c.Place.Pack, c.Place.Ordinal)
		}
		if i > 1 {
			second.Add(c.Place.Pack, c.Place.Ordinal)
		}
	}
	g.file("refs.txt", fmt.Sprintf("%s full %d\n%s delta %d\n",
		g.seal(Refs, EncodeRefs(first), index), first.Chunks(),
		g.seal(Refs, EncodeRefsDelta(first, second), index), second.Chunks()))
}

func (g *goldenWriter) seal(kind Kind, content []byte, index age.Recipient) Name {
	name, _, err := PutSealed(context.Background(), g.store, kind, content, index)
	if err != nil {
		g.t.Fatal(err)
	}
	return name
}

func (g *goldenWriter) save() {
	for info, err := range g.store.List(context.Background(), "", "") {
		if err != nil {
			g.t.Fatal(err)
		}
		data, err := g.store.Get(context.Background(), info.Name, 0, -1, nil)
		if err != nil {
			g.t.Fatal(err)
		}
		g.file("repository/"+info.Name, string(data))
	}
}

// contents are the bytes that `age -d | zstd -d` should print for a pack: those of its chunks, in
// order.
func (g *golden) contents(t *testing.T, kind Kind, info store.Info) []byte {
	t.Helper()
	pack, err := g.reader().Pack(t.Context(), kind, nameOf(t, info.Name), info.Size)
	if err != nil {
		t.Fatal(err)
	}
	d, err := g.reader().Directory(t.Context(), pack)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	err = g.reader().Fetch(t.Context(), pack, slices.Collect(d.All(pack)), func(_ int, data []byte) error {
		all = append(all, data...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestStockAgeAndZstdReadPacks(t *testing.T) {
	for _, dir := range goldenDirs(t) {
		g := openGolden(t, dir)
		for _, kind := range []Kind{Data, Trees} {
			for _, info := range g.list(t, kind) {
				sealed, err := g.store.Get(t.Context(), info.Name, 0, -1, nil)
				if err != nil {
					t.Fatal(err)
				}
				plain, err := age.Decrypt(bytes.NewReader(sealed), g.identities...)
				if err != nil {
					t.Fatalf("age: %v", err)
				}
				frames, err := zstd.NewReader(plain)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(frames)
				frames.Close()
				if want := g.contents(t, kind, info); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: age and zstd give %d bytes, want %d: %v", info.Name, len(got), len(want), err)
				}
			}
		}
	}
}

// tools puts the programs that are at hand in front of PATH, and skips the test where one is
// missing.
func tools(t *testing.T, names ...string) {
	t.Helper()
	local, err := filepath.Abs("../.bin")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", local+string(os.PathListSeparator)+os.Getenv("PATH"))
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
}

func TestAgeAndZstdCommandsReadPacks(t *testing.T) {
	tools(t, "sh", "age", "zstd")
	for _, dir := range goldenDirs(t) {
		g := openGolden(t, dir)
		for _, kind := range []Kind{Data, Trees} {
			for _, info := range g.list(t, kind) {
				cmd := exec.CommandContext(t.Context(), "sh", "-c", `age -d -i "$1" "$2" | zstd -dcq`, "sh",
					filepath.Join(dir, "identity.txt"), filepath.Join(dir, "repository", filepath.FromSlash(info.Name)))
				got, err := cmd.Output()
				if want := g.contents(t, kind, info); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: the commands print %d bytes, want %d: %v", info.Name, len(got), len(want), err)
				}
			}
		}
	}
}

// TestPythonOfTheFormatReadsPacks runs the program that FORMAT.md shows.
func TestPythonOfTheFormatReadsPacks(t *testing.T) {
	tools(t, "python3", "age", "zstd")
	program := filepath.Join(t.TempDir(), "read.py")
	if err := os.WriteFile(program, pythonOfTheFormat(t), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range goldenDirs(t) {
		g := openGolden(t, dir)
		var want []string
		for _, l := range g.lines {
			f := strings.Fields(l)
			want = append(want, strings.Join(f[3:], " "))
		}
		args := []string{program, filepath.Join(dir, "identity.txt")}
		for _, kind := range []Kind{Data, Trees} {
			for _, info := range g.list(t, kind) {
				args = append(args, filepath.Join(dir, "repository", filepath.FromSlash(info.Name)))
			}
		}
		out, err := exec.CommandContext(t.Context(), "python3", args...).CombinedOutput()
		got := strings.Split(strings.TrimSpace(string(out)), "\n")
		slices.Sort(got)
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v\ngot  %s\nwant %s", dir, err, out, strings.Join(want, "\n"))
		}
	}
}

// pythonOfTheFormat is the indented block of section 13.
func pythonOfTheFormat(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := bytes.Cut(text, []byte("## 13 Reading without packstone\n"))
	if !found {
		t.Fatal("FORMAT.md has no section 13")
	}
	var program bytes.Buffer
	for lines := bufio.NewScanner(bytes.NewReader(section)); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "## ") {
			break
		}
		fmt.Fprintln(&program, strings.TrimPrefix(lines.Text(), "    "))
	}
	return program.Bytes()
}
