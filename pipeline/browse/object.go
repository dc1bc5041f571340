package browse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
)

// SnapshotContent is a snapshot, with the clear part of its record.
type SnapshotContent struct {
	ID       string    `json:"id"`
	Writer   string    `json:"writer"`
	Domain   uint64    `json:"domain"`
	Stored   time.Time `json:"stored"`
	Software string    `json:"software"`
	*catalog.Snapshot
}

// ContentOf returns the content of a snapshot's commit.
func ContentOf(s *catalog.Snapshot) (*SnapshotContent, error) {
	for i := range s.Sources {
		var err error
		if s.Sources[i].RootCBOR, err = s.Sources[i].Root.MarshalCBOR(); err != nil {
			return nil, err
		}
	}
	return &SnapshotContent{s.ID.String(), s.Writer, s.Domain, s.Stored, s.Software, s}, nil
}

// RecordContent is the part of a record that everyone can read.
type RecordContent struct {
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

// Record returns the record with an object name or hash.
func Record(ctx context.Context, repo *catalog.Repository, name string) (*RecordContent, error) {
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(log.Records, func(r *catalog.Record) bool { return r.Name() == name || r.Hash.String() == name })
	if i < 0 {
		return nil, fmt.Errorf("there is no valid record %s: want a name such as log/host.0/0000000001, or a hash", name)
	}
	r := log.Records[i]
	return &RecordContent{r.Name(), r.Hash.String(), r.Stored, r.Kind, r.Previous, r.Config, r.ConfigHash, r.Domain, r.Time, r.Index, r.Refs,
		r.Supersedes, r.Subjects, r.Software, len(r.Sealed)}, nil
}

// PackContent is the directory of a pack.
type PackContent struct {
	ID     string         `json:"id"`
	Kind   archive.Kind   `json:"kind"`
	Size   uint32         `json:"size"`
	Header uint32         `json:"header"`
	Chunks []ChunkContent `json:"chunks"`
}

// ChunkContent is a chunk and its place.
type ChunkContent struct {
	ID      string       `json:"id,omitempty"`
	Length  uint32       `json:"length"`
	Pack    string       `json:"pack,omitempty"`
	Kind    archive.Kind `json:"kind,omitempty"`
	Ordinal uint32       `json:"ordinal"`
	Frame   uint32       `json:"frame"`
	Stored  uint32       `json:"frame_stored"`
	Start   uint32       `json:"start"`
}

func chunkContentOf(c *archive.Chunk) ChunkContent {
	return ChunkContent{Length: c.Length, Ordinal: c.Place.Ordinal, Frame: c.Place.Frame, Stored: c.Place.Stored, Start: c.Place.Start}
}

// Pack returns the directory of the only pack whose id begins with id.
func Pack(ctx context.Context, repo *catalog.Repository, id string) (*PackContent, error) {
	pack, err := findPack(ctx, repo, id)
	if err != nil {
		return nil, err
	}
	reader := repo.DirectoryReader()
	whole, err := reader.Pack(ctx, pack.Kind, pack.Name, int64(pack.Size))
	if err != nil {
		return nil, err
	}
	directory, err := reader.Directory(ctx, whole)
	if err != nil {
		return nil, err
	}
	content := &PackContent{ID: whole.Name.String(), Kind: whole.Kind, Size: whole.Size, Header: whole.Header, Chunks: []ChunkContent{}}
	for c := range directory.All(whole) {
		chunk := chunkContentOf(&c)
		chunk.ID = c.ID.String()
		content.Chunks = append(content.Chunks, chunk)
	}
	return content, nil
}

// findPack returns the only pack whose id begins with id.
func findPack(ctx context.Context, repo *catalog.Repository, id string) (*archive.Pack, error) {
	found, err := archive.FindPacks(ctx, repo.Store, id)
	switch {
	case err != nil:
		return nil, fmt.Errorf("look for pack %s: %w", id, err)
	case len(found) > 1:
		return nil, catalog.Misuse("pack %s: several packs have such an id", id)
	case len(found) == 0:
		return nil, fmt.Errorf("there is no pack %s", id)
	}
	return found[0], nil
}

// ChunkPlaces are the places of a chunk.
type ChunkPlaces struct {
	ID     string         `json:"id"`
	Places []ChunkContent `json:"places"`
}

// CheckObject fails with catalog.ErrMisuse if Object can't know a kind or a name, whatever there is.
func CheckObject(kind, name string) error {
	switch kind {
	case "config", "record":
	case "pack":
		if len(name) < 4 || strings.Trim(name, "0123456789abcdef") != "" {
			return catalog.Misuse("pack %s: want at least 4 digits of its id", entry.Printable(name))
		}
	case "chunk":
		if _, err := archive.ParseName(name); err != nil {
			return catalog.Misuse("chunk %s: want all 64 digits of its id", entry.Printable(name))
		}
	default:
		return catalog.Misuse("%s: want config, record, pack or chunk", kind)
	}
	return nil
}

// Object returns what a name of a kind means in a repository: its config, of which the name does not
// matter, or a record, pack or chunk. A chunk has its whole id for a name. See CheckObject.
func Object(ctx context.Context, repo *catalog.Repository, kind, name string) (any, error) {
	if err := CheckObject(kind, name); err != nil {
		return nil, err
	}
	switch kind {
	case "config":
		return repo.Config, nil
	case "record":
		return Record(ctx, repo, name)
	case "pack":
		return Pack(ctx, repo, name)
	}
	id, err := archive.ParseName(name)
	if err != nil {
		return nil, err
	}
	return Chunk(ctx, repo, archive.ID(id))
}

// Chunk returns the places of a chunk that the index knows.
func Chunk(ctx context.Context, repo *catalog.Repository, id archive.ID) (*ChunkPlaces, error) {
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return nil, err
	}
	index := repo.NewIndex()
	defer index.Close()
	if _, err := repo.LoadIndex(ctx, log, index, nil); err != nil {
		return nil, err
	}
	found, err := index.Places(ctx, id)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no index names chunk %s", id)
	}
	places := &ChunkPlaces{ID: id.String()}
	for _, c := range found {
		place := chunkContentOf(&c)
		place.Pack, place.Kind = c.Place.Pack.Name.String(), c.Place.Pack.Kind
		places.Places = append(places.Places, place)
	}
	return places, nil
}

// TreeContent is the root of a source's tree.
type TreeContent struct {
	Bytes   uint64       `json:"bytes"`
	Entries uint64       `json:"entries"`
	Runs    []RunContent `json:"runs"`
}

// RunContent is a run of a tree.
type RunContent struct {
	Page    string `json:"page"`
	Pack    string `json:"pack"`
	Height  uint8  `json:"height"`
	Entries uint64 `json:"entries"`
	Bytes   uint64 `json:"bytes"`
}

// TreeOf returns the root of a source's tree.
func TreeOf(source *catalog.SourceState) TreeContent {
	root := source.Root
	content := TreeContent{Entries: root.Entries, Bytes: root.Bytes, Runs: []RunContent{}}
	for _, run := range root.Runs {
		one := RunContent{Page: run.Top.ID.String(), Height: run.Height, Entries: run.Entries, Bytes: run.Bytes}
		if run.Top.Place.Pack != nil {
			one.Pack = run.Top.Place.Pack.Name.String()
		}
		content.Runs = append(content.Runs, one)
	}
	return content
}
