// Package forgetest makes what a holder of a writer's key can put into a storage, right or wrong.
// It follows archive/FORMAT.md and not the code that writes records. So tests can tell a refused
// lie from a malformed record: without a lie, what the package makes is accepted.
package forgetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/crypto"
)

// Forger has a writer's key file and access to the storage.
type Forger struct {
	Store store.Store
	Key   *crypto.WriterFile
	By    crypto.Signer // who signs; the writer, unless another key was stolen
}

// New returns a forger with a writer's key.
func New(s store.Store, key *crypto.WriterFile) *Forger { return &Forger{s, key, key.Signer} }

// Lane returns the writer's lane of this number, as in names of objects.
func (f *Forger) Lane(n int) string { return fmt.Sprintf("%s.%d", f.Key.Signer.Name(), n) }

// Sign writes body, signed, under a name, whatever it says.
func (f *Forger) Sign(ctx context.Context, object string, body any) (hash string, err error) {
	line, err := json.Marshal(body)
	if err != nil {
		return "", fmt.Errorf("forge %s: %w", object, err)
	}
	note, err := f.By.Sign(f.Key.Repository, object, append(line, '\n'))
	if err != nil {
		return "", fmt.Errorf("forge %s: %w", object, err)
	}
	sum := sha256.Sum256(note)
	return hex.EncodeToString(sum[:]), f.Store.Put(ctx, object, note, sum)
}

// Record adds a record to a lane, after a session that announces it. The keys in clear replace the
// right ones; a nil value leaves a key out.
func (f *Forger) Record(ctx context.Context, lane, kind string, clear map[string]any) (hash string, err error) {
	sequence, previous, err := f.last(ctx, "log/"+lane+"/")
	if err != nil {
		return "", err
	}
	number, config, err := f.last(ctx, "config/")
	if err != nil {
		return "", err
	}
	now := time.Now().UTC()
	nonce := rand.Text()
	object := fmt.Sprintf("%s/%010d", lane, sequence+1)
	session := fmt.Sprintf("sessions/%s.%010d", lane, sequence+1)
	if _, err := f.Sign(ctx, session, map[string]any{"nonce": nonce, "time": now, "software": "forger"}); err != nil {
		return "", err
	}
	body := map[string]any{
		"kind": kind, "config": number, "config_hash": config, "domain": f.Key.DomainNumber, "time": now, "nonce": nonce, "software": "forger",
	}
	if sequence > 0 {
		body["previous"] = previous
	}
	return f.Sign(ctx, "log/"+object, override(body, clear))
}

// last returns the number and hash of the last object below a prefix, 0 if there is none.
func (f *Forger) last(ctx context.Context, prefix string) (number uint64, hash string, err error) {
	name := ""
	for info, err := range f.Store.List(ctx, prefix, "") {
		if err != nil {
			return 0, "", err
		}
		name = info.Name
	}
	if name == "" {
		return 0, "", nil
	}
	data, err := f.Store.Get(ctx, name, 0, -1, nil)
	if err != nil {
		return 0, "", err
	}
	if _, err := fmt.Sscanf(name[len(prefix):], "%d", &number); err != nil {
		return 0, "", fmt.Errorf("number of %s: %w", name, err)
	}
	sum := sha256.Sum256(data)
	return number, hex.EncodeToString(sum[:]), nil
}

// override replaces keys; nil removes one.
func override(body, by map[string]any) map[string]any {
	maps.Copy(body, by)
	maps.DeleteFunc(body, func(_ string, v any) bool { return v == nil })
	return body
}

// Snapshot is the content of a commit, which is right apart from Clear and Sealed.
type Snapshot struct {
	Lane          int
	Set, Host     string
	Source        string
	Files         map[string]string // their contents, at most 32 KiB each, by path
	Nodes         []*tree.Node      // what is no file with content, or one with holes
	Packs         []archive.RunPack // with what the nodes hold
	Missed        int               // entries that the coverage says are missing
	Clear, Sealed map[string]any    // what the two parts say instead
	Run           func(packs []archive.RunPack)
	Page          func(page []byte)     // changes pages before they are named
	Root          func(root *tree.Root) // changes the root
}

// Commit stores the files and a commit that names them, and returns the snapshot's id.
func (f *Forger) Commit(ctx context.Context, s Snapshot) (id string, err error) {
	data, refs, root, err := f.store(ctx, s)
	if err != nil {
		return "", err
	}
	if s.Run != nil {
		s.Run(data)
	}
	run, err := f.PutRun(ctx, data)
	if err != nil {
		return "", err
	}
	list, err := f.put(ctx, archive.Refs, archive.EncodeRefs(refs))
	if err != nil {
		return "", err
	}
	now := time.Now().UTC()
	sealed, err := f.Seal(override(map[string]any{
		"set": s.Set, "host": s.Host, "time": now, "started": now, "finished": now, "sources": []any{map[string]any{
			"name": s.Source, "type": "files", "location": location, "moment": now, "finished": now, "root": base64.StdEncoding.EncodeToString(root),
			"coverage": map[string]any{"files": len(s.Files), "missed": s.Missed},
		}},
	}, s.Sealed))
	if err != nil {
		return "", err
	}
	return f.Record(ctx, f.Lane(s.Lane), "commit", override(map[string]any{
		"index": []string{run}, "refs": map[string]any{"full": list}, "sealed": sealed, "group": f.group(s), "complete": true,
	}, s.Clear))
}

// location is where the one source of a forged snapshot is said to be.
const location = "here"

// group returns the name of a snapshot's group.
func (f *Forger) group(s Snapshot) string {
	words := []string{"group", s.Set, s.Host}
	if s.Set == "" {
		words = append(words, location)
	}
	return f.Mark(words...)
}

// Mark returns the keyed hash that names a group or a run.
func (f *Forger) Mark(words ...string) string {
	var text []byte
	for _, word := range words {
		text = append(binary.AppendUvarint(text, uint64(len(word))), word...)
	}
	sum := f.Key.Domain.GroupKey().Sum(text)
	return hex.EncodeToString(sum[:16])
}

// Seal makes the sealed part of a record.
func (f *Forger) Seal(content map[string]any) ([]byte, error) {
	plain, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("forge a sealed part: %w", err)
	}
	return crypto.Seal(nil, archive.Compact(plain), f.Key.Recipients...)
}

// PutRefs stores an object among refs, whatever it says.
func (f *Forger) PutRefs(ctx context.Context, content []byte) (name string, err error) {
	return f.put(ctx, archive.Refs, content)
}

// PutRun stores an index run with these packs, which counts once a record names it.
func (f *Forger) PutRun(ctx context.Context, packs []archive.RunPack) (name string, err error) {
	return f.put(ctx, archive.Runs, archive.EncodeRun(packs))
}

func (f *Forger) put(ctx context.Context, kind archive.Kind, content []byte) (string, error) {
	_, index, err := f.Key.Domain.IndexIdentity(f.Key.Classic)
	if err != nil {
		return "", err
	}
	name, _, err := archive.PutSealed(ctx, f.Store, kind, content, []age.Recipient{index}...)
	return name.String(), err
}

// Pack stores chunks in a pack, and returns its true directory.
func (f *Forger) Pack(ctx context.Context, chunks ...string) (archive.RunPack, error) {
	return f.pack(ctx, f.ID, chunks...)
}

// Mislabelled stores a chunk in a pack under the id of another chunk of the same length.
func (f *Forger) Mislabelled(ctx context.Context, id archive.ID, chunk string) (archive.RunPack, error) {
	return f.pack(ctx, func(string) archive.ID { return id }, chunk)
}

func (f *Forger) pack(ctx context.Context, id func(string) archive.ID, chunks ...string) (archive.RunPack, error) {
	w := f.writer(ctx, archive.Data)
	defer w.Close()
	for _, chunk := range chunks {
		if err := w.Add(ctx, archive.NewSlot(id(chunk), len(chunk)), []byte(chunk), ""); err != nil {
			return archive.RunPack{}, err
		}
	}
	if err := w.Flush(ctx); err != nil {
		return archive.RunPack{}, err
	}
	return w.packs[0], nil
}

// ID returns the id of a chunk of data.
func (f *Forger) ID(chunk string) archive.ID { return f.Key.Domain.DataID().Sum([]byte(chunk)) }

// packer is a writer of packs that remembers them.
type packer struct {
	*archive.Writer
	packs []archive.RunPack
}

func (f *Forger) writer(ctx context.Context, kind archive.Kind) *packer {
	p := &packer{}
	p.Writer = archive.NewWriter(ctx, f.Store, archive.WriterOptions{
		Kind: kind, Recipients: f.Key.Recipients, PackSize: 1 << 20, Uploads: 1,
		Stored: func(pack *archive.Pack, d *archive.Directory) {
			p.packs = append(p.packs, archive.RunPack{Pack: pack, Directory: d})
		},
	})
	return p
}

// store stores the files of a snapshot and their tree.
func (f *Forger) store(ctx context.Context, s Snapshot) (packs []archive.RunPack, refs *archive.RefSet, root []byte, err error) {
	data, trees, refs := f.writer(ctx, archive.Data), f.writer(ctx, archive.Trees), &archive.RefSet{}
	defer data.Close()
	defer trees.Close()
	ids := f.Key.Domain.TreeID()
	t := tree.NewWriter(nil, tree.WriterOptions{
		Key: f.Key.Domain.PageKey(), Seal: trees.Seal, Flush: trees.Flush, Settle: data.Seal,
		ID: func(page []byte) archive.ID {
			if s.Page != nil {
				s.Page(page)
			}
			return ids.Sum(page)
		},
		Store: func(ctx context.Context, slot *archive.Slot, page []byte) error {
			return trees.Add(ctx, slot, page, "page")
		},
	})
	all := slices.Clone(s.Nodes)
	for _, path := range withDirectories(s.Files) {
		node := &tree.Node{Entry: entry.Entry{Path: path, Type: entry.Directory, Mode: 0o755, ModTime: entry.NanoTime(1)}}
		if content, isFile := s.Files[path]; isFile {
			slot := archive.NewSlot(f.ID(content), len(content))
			if err := errors.Join(data.Add(ctx, slot, []byte(content), ""), data.Flush(ctx)); err != nil {
				return nil, nil, nil, err
			}
			chunk, _ := slot.Chunk()
			node.Type, node.Mode, node.Size, node.Chunks = entry.File, 0o644, int64(len(content)), []archive.Chunk{chunk}
		}
		all = append(all, node)
	}
	slices.SortFunc(all, func(a, b *tree.Node) int { return entry.ComparePaths(a.Path, b.Path) })
	for _, node := range all {
		if err := t.Add(ctx, node, nil, tree.Step{}); err != nil {
			return nil, nil, nil, err
		}
	}
	made, err := t.Finish(ctx)
	if err == nil {
		err = trees.Flush(ctx)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	packs = slices.Concat(data.packs, trees.packs, s.Packs)
	for _, p := range packs {
		for i := range p.Directory.Len() {
			refs.Add(p.Pack, uint32(i))
		}
	}
	if s.Root != nil {
		s.Root(&made)
	}
	root, err = made.MarshalCBOR()
	return packs, refs, root, err
}

// withDirectories returns the paths of files and of the directories that they lie in, in order.
func withDirectories(files map[string]string) []string {
	paths := map[string]bool{}
	for p := range files {
		for paths[p] = true; strings.Contains(p, "/"); paths[p] = true {
			p = path.Dir(p)
		}
	}
	return slices.SortedFunc(maps.Keys(paths), entry.ComparePaths)
}

// Parse parses overrides of a record as a user types them: KEY=VALUE, where VALUE is JSON or else a
// text.
func Parse(pairs []string) (map[string]any, error) {
	values := map[string]any{}
	for _, pair := range pairs {
		key, text, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("%s: want KEY=VALUE", pair)
		}
		var value any
		if json.Unmarshal([]byte(text), &value) != nil {
			value = text
		}
		values[key] = value
	}
	return values, nil
}
