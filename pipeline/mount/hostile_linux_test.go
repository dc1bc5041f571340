package mount

import (
	"context"
	"errors"
	"math/rand/v2"
	"path"
	"strings"
	"syscall"
	"testing"

	"filippo.io/age"
	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/forgetest"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/fetch"
)

// siege is a repository whose writer means ill.
type siege struct {
	store    *memory.Store
	writer   *crypto.WriterFile
	identity *crypto.IdentityFile
}

func layASiege(t testing.TB) *siege {
	t.Helper()
	s := &siege{store: memory.New()}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	owner, err := crypto.GenerateSigner("owner")
	if err != nil {
		t.Fatal(err)
	}
	host, err := crypto.GenerateSigner("host")
	if err != nil {
		t.Fatal(err)
	}
	s.writer, err = catalog.Init(t.Context(), s.store, owner, host, []age.Recipient{identity.Recipient()}, nil, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.identity = &crypto.IdentityFile{Identities: []age.Identity{identity}, Owners: []crypto.OwnerPin{{Repository: s.writer.Repository, Owner: owner.Verifier()}}}
	return s
}

// mounted is the mount of a snapshot that a script makes, without a kernel; nil if no tree can hold
// what the script says, or nobody reads it.
func (s *siege) mounted(t *testing.T, script []byte) *mounted {
	t.Helper()
	store := s.store.Clone()
	as := forgetest.Snapshot{Host: "host", Set: "..", Source: "source"}
	_, err := forgetest.NewScript(script, "/outside").Perform(t.Context(), forgetest.New(store, s.writer), as)
	if errors.Is(err, tree.ErrTooLarge) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	repo, err := catalog.Open(t.Context(), store, catalog.Options{Keys: catalog.Keys{Identities: s.identity}})
	if err != nil {
		t.Fatal(err)
	}
	log, err := repo.ReadLog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	snapshots, _, err := repo.ReadSnapshots(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	if len(snapshots) == 0 {
		return nil // its root is refused
	}
	m := &mounted{ctx: t.Context(), stores: map[uint64]*contents{}, told: map[string]bool{}, Options: Options{
		Repo: repo, Snapshots: snapshots, Memory: 1 << 20, Fetch: fetch.Options{}, Problem: func(string, error) {}, Note: func(string) {},
		Latest: func(string, string) (*catalog.Snapshot, error) { return snapshots[0], nil },
	}}
	m.pages.Most = pagesHeld
	t.Cleanup(m.wait)
	return m
}

// FuzzHostileTree lists all that a mount shows of a snapshot that the fuzzer makes up, and reads its
// files: each name is one that a directory may have, and it ends.
func FuzzHostileTree(f *testing.F) {
	s := layASiege(f)
	f.Add([]byte{})
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 12))
		script := make([]byte, 40+r.IntN(400))
		for i := range script {
			script[i] = byte(r.Uint32())
		}
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		m := s.mounted(t, script)
		if m == nil {
			return
		}
		root := m.root()
		fs.NewNodeFS(root, &fs.Options{})
		v := &visitor{t: t, left: 5000}
		v.visit(root, "", 0)
	})
}

// visitor walks through a mount.
type visitor struct {
	t    *testing.T
	left int // entries
}

func (v *visitor) visit(n fs.InodeEmbedder, at string, depth int) {
	if v.left--; v.left < 0 {
		v.t.Fatalf("%.200q: the mount does not end", at)
	}
	if reader, ok := n.(fs.NodeReader); ok {
		if result, errno := reader.Read(v.t.Context(), nil, make([]byte, 4096), 0); errno == 0 {
			result.Done()
		}
		for _, whence := range []uint32{3, seekHoleWhence} {
			if seeker, ok := n.(fs.NodeLseeker); ok {
				_, _ = seeker.Lseek(v.t.Context(), nil, 0, whence)
			}
		}
	}
	if attributes, ok := n.(interface {
		fs.NodeListxattrer
		fs.NodeGetxattrer
	}); ok {
		_, _ = attributes.Listxattr(v.t.Context(), make([]byte, 100))
		_, _ = attributes.Getxattr(v.t.Context(), "user.a", make([]byte, 10))
	}
	dir, ok := n.(fs.NodeReaddirer)
	if !ok || n.EmbeddedInode().Mode()&syscall.S_IFMT != syscall.S_IFDIR {
		return
	}
	v.entries(n, dir, at, depth)
}

// entries visits what is in a directory.
func (v *visitor) entries(n fs.InodeEmbedder, dir fs.NodeReaddirer, at string, depth int) {
	stream, errno := dir.Readdir(v.t.Context())
	if errno != 0 {
		return
	}
	defer stream.Close()
	for stream.HasNext() {
		e, errno := stream.Next()
		if errno != 0 {
			return
		}
		if e.Name == "" || strings.ContainsAny(e.Name, "/\x00") || depth > 1 && (e.Name == "." || e.Name == "..") {
			v.t.Errorf("%q has the name %q", at, e.Name)
		}
		var out fuse.EntryOut
		child, errno := n.(fs.NodeLookuper).Lookup(context.Background(), e.Name, &out)
		if errno != 0 {
			continue
		}
		n.EmbeddedInode().AddChild(e.Name, child, true)
		v.visit(child.Operations(), path.Join(at, e.Name), depth+1)
	}
}
