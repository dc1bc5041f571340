package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/fetch"
)

func newCat(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cat SNAPSHOT:SOURCE/FILE | config | snapshot ID | record NAME | pack ID | chunk ID | tree SNAPSHOT:SOURCE",
		Short: "Print the content of a file, or what lies in the repository as JSON.",
		Long: `The content of a file goes to the standard output as it is. A record is named as the store does (log/host.0/0000000001) or by its hash, a
pack by the beginning of its id, a chunk by its whole id.`,
		Example: `  packstone cat latest:settings/api/app.ini
  packstone cat snapshot latest`,
		Args: cobra.RangeArgs(1, 2),
	}
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesSelection|usesPaths, func(ctx context.Context, args []string) error {
		if len(args) == 1 && args[0] != "config" {
			return a.catFile(ctx, args[0])
		}
		object, ok := catObjects[args[0]]
		if !ok || (len(args) == 1) != (args[0] == "config") {
			return usage("want cat SNAPSHOT:SOURCE/FILE, cat config, or cat with one of snapshot, record, pack, chunk, tree and a name")
		}
		v, err := object(a, ctx, args[len(args)-1])
		if err != nil {
			return err
		}
		return a.printJSON(v)
	})
}

// catObjects finds what cat prints as JSON.
var catObjects = map[string]func(a *app, ctx context.Context, name string) (any, error){
	"config": (*app).catConfig, "snapshot": (*app).catSnapshot, "record": (*app).catRecord, "pack": (*app).catPack, "chunk": (*app).catChunk, "tree": (*app).catTree,
}

// printJSON prints what lies in the repository, for people and programs alike.
func (a *app) printJSON(v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	if _, err := fmt.Fprintf(a.stdout, "%s\n", output.CleanJSON(text)); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// catFile prints the content of a file.
func (a *app) catFile(ctx context.Context, name string) error {
	b, err := a.browse(ctx)
	if err != nil {
		return err
	}
	at, err := b.find(name)
	if err != nil {
		return err
	}
	if at.path == "" {
		return usage("%s names no file: want SNAPSHOT:SOURCE/FILE", name)
	}
	t, err := b.tree(at.snapshot, at.sources[0])
	if err != nil {
		return err
	}
	node, err := at.node(ctx, t)
	if err != nil {
		return err
	}
	if node.Type != entry.File {
		return exitWith(exitFailed, "%s is no file but a %s", placeName(at.sources[0].Name, at.path), typeNames[node.Type])
	}
	return b.content(ctx, at.snapshot, node, a.stdout)
}

// content writes the content of a file to w.
func (b *browser) content(ctx context.Context, s *catalog.Snapshot, node *tree.Node, w io.Writer) error {
	f, err := b.fetcher(s)
	if err != nil {
		return err
	}
	return f.InOrder(ctx, oneNode(node), fetch.Reading{
		Begin: func(*tree.Node) error { return nil },
		Data: func(data []byte) error {
			if _, err := w.Write(data); err != nil {
				return fmt.Errorf("write the output: %w", err)
			}
			return nil
		},
	})
}

func oneNode(n *tree.Node) iter.Seq2[*tree.Node, error] {
	return func(yield func(*tree.Node, error) bool) { yield(n, nil) }
}

func (a *app) catConfig(ctx context.Context, _ string) (any, error) {
	repo, _, err := a.openRepository(ctx, mayRead)
	if err != nil {
		return nil, err
	}
	return repo.Config, nil
}

// snapshotContent is a snapshot with what its record says beside the sealed part.
type snapshotContent struct {
	ID       string    `json:"id"`
	Writer   string    `json:"writer"`
	Domain   uint64    `json:"domain"`
	Stored   time.Time `json:"stored"`
	Software string    `json:"software"`
	*catalog.Snapshot
}

func (a *app) catSnapshot(ctx context.Context, name string) (any, error) {
	b, err := a.browse(ctx)
	if err != nil {
		return nil, err
	}
	s, err := b.pick(name, a.filter())
	if err != nil {
		return nil, err
	}
	for i := range s.Sources {
		if s.Sources[i].RootCBOR, err = s.Sources[i].Root.MarshalCBOR(); err != nil {
			return nil, err
		}
	}
	return snapshotContent{s.ID.String(), s.Writer, s.Domain, s.Stored, s.Software, s}, nil
}

// recordContent is what everyone can read of a record.
type recordContent struct {
	Name       string           `json:"name"`
	Hash       string           `json:"hash"`
	Stored     time.Time        `json:"stored"`
	Kind       catalog.Kind     `json:"kind"`
	Previous   string           `json:"previous,omitempty"`
	Config     uint64           `json:"config"`
	ConfigHash string           `json:"config_hash"`
	Domain     uint64           `json:"domain"`
	Time       time.Time        `json:"time"`
	Index      []string         `json:"index,omitempty"`
	Refs       catalog.RefsList `json:"refs,omitzero"`
	Supersedes []string         `json:"supersedes,omitempty"`
	Subjects   []string         `json:"subjects,omitempty"`
	Software   string           `json:"software"`
	Sealed     int              `json:"sealed_bytes,omitempty"`
}

func (a *app) catRecord(ctx context.Context, name string) (any, error) {
	repo, _, err := a.openRepository(ctx, mayRead)
	if err != nil {
		return nil, err
	}
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(log.Records, func(r *catalog.Record) bool { return r.Name() == name || r.Hash.String() == name })
	if i < 0 {
		return nil, exitWith(exitFailed, "there is no valid record %s: want a name such as log/host.0/0000000001, or a hash", name)
	}
	r := log.Records[i]
	return recordContent{r.Name(), r.Hash.String(), r.Stored, r.Kind, r.Previous, r.Config, r.ConfigHash, r.Domain, r.Time, r.Index, r.Refs,
		r.Supersedes, r.Subjects, r.Software, len(r.Sealed)}, nil
}

// packContent is the directory of a pack.
type packContent struct {
	ID     string         `json:"id"`
	Kind   archive.Kind   `json:"kind"`
	Size   uint32         `json:"size"`
	Header uint32         `json:"header"`
	Chunks []chunkContent `json:"chunks"`
}

// chunkContent is a chunk and where it lies.
type chunkContent struct {
	ID      string       `json:"id,omitempty"`
	Length  uint32       `json:"length"`
	Pack    string       `json:"pack,omitempty"`
	Kind    archive.Kind `json:"kind,omitempty"`
	Ordinal uint32       `json:"ordinal"`
	Frame   uint32       `json:"frame"`
	Stored  uint32       `json:"frame_stored"`
	Start   uint32       `json:"start"`
}

func chunkContentOf(c *archive.Chunk) chunkContent {
	return chunkContent{Length: c.Length, Ordinal: c.Place.Ordinal, Frame: c.Place.Frame, Stored: c.Place.Stored, Start: c.Place.Start}
}

func (a *app) catPack(ctx context.Context, id string) (any, error) {
	repo, _, err := a.openRepository(ctx, mustRead)
	if err != nil {
		return nil, err
	}
	pack, err := findPack(ctx, repo, id)
	if err != nil {
		return nil, err
	}
	reader, err := repo.Reader(repo.Config.Domain)
	if err != nil {
		return nil, err
	}
	whole, err := reader.Pack(ctx, pack.Kind, pack.Name, int64(pack.Size))
	if err != nil {
		return nil, err
	}
	directory, err := reader.Directory(ctx, whole)
	if err != nil {
		return nil, err
	}
	content := packContent{ID: whole.Name.String(), Kind: whole.Kind, Size: whole.Size, Header: whole.Header, Chunks: []chunkContent{}}
	for c := range directory.All(whole) {
		chunk := chunkContentOf(&c)
		chunk.ID = c.ID.String()
		content.Chunks = append(content.Chunks, chunk)
	}
	return content, nil
}

// findPack finds the one pack whose id begins so.
func findPack(ctx context.Context, repo *catalog.Repository, id string) (*archive.Pack, error) {
	if len(id) < 4 || strings.Trim(id, "0123456789abcdef") != "" {
		return nil, usage("pack %s: want at least 4 digits of its id", id)
	}
	var found *archive.Pack
	for _, kind := range []archive.Kind{archive.Data, archive.Trees} {
		for info, err := range repo.Store.List(ctx, string(kind)+"/"+id[:2]+"/"+id, "") {
			if err != nil {
				return nil, fmt.Errorf("look for pack %s: %w", id, err)
			}
			name, err := archive.ParseName(info.Name[strings.LastIndexByte(info.Name, '/')+1:])
			if err != nil {
				continue
			}
			if found != nil {
				return nil, usage("pack %s: several ids begin so", id)
			}
			found = &archive.Pack{Name: name, Kind: kind, Size: uint32(info.Size)}
		}
	}
	if found == nil {
		return nil, exitWith(exitFailed, "there is no pack %s", id)
	}
	return found, nil
}

func (a *app) catChunk(ctx context.Context, id string) (any, error) {
	name, err := archive.ParseName(id)
	if err != nil {
		return nil, usage("chunk %s: want all 64 digits of its id", id)
	}
	repo, _, err := a.openRepository(ctx, mayRead|mayWrite)
	if err != nil {
		return nil, err
	}
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return nil, err
	}
	index := repo.NewIndex()
	defer index.Close()
	if _, err := repo.LoadIndex(ctx, log, index, nil); err != nil {
		return nil, err
	}
	found, err := index.Places(ctx, archive.ID(name))
	if err != nil {
		return nil, err
	}
	var places []chunkContent
	for _, c := range found {
		place := chunkContentOf(&c)
		place.Pack, place.Kind = c.Place.Pack.Name.String(), c.Place.Pack.Kind
		places = append(places, place)
	}
	if len(places) == 0 {
		return nil, exitWith(exitFailed, "no index names chunk %s", id)
	}
	return map[string]any{"id": id, "places": places}, nil
}

// runContent is a run of a tree.
type runContent struct {
	Page    string `json:"page"`
	Pack    string `json:"pack"`
	Height  uint8  `json:"height"`
	Entries uint64 `json:"entries"`
	Bytes   uint64 `json:"bytes"`
}

func (a *app) catTree(ctx context.Context, name string) (any, error) {
	b, err := a.browse(ctx)
	if err != nil {
		return nil, err
	}
	at, err := b.find(name)
	if err != nil {
		return nil, err
	}
	if len(at.sources) != 1 || at.path != "" {
		return nil, usage("%s is no source: want SNAPSHOT:SOURCE, of %s", name, strings.Join(sourceNames(at.snapshot), ", "))
	}
	root := at.sources[0].Root
	runs := []runContent{}
	for _, run := range root.Runs {
		content := runContent{Page: run.Top.ID.String(), Height: run.Height, Entries: run.Entries, Bytes: run.Bytes}
		if run.Top.Place.Pack != nil {
			content.Pack = run.Top.Place.Pack.Name.String()
		}
		runs = append(runs, content)
	}
	return map[string]any{"entries": root.Entries, "bytes": root.Bytes, "runs": runs}, nil
}
