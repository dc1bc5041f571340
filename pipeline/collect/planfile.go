package collect

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
)

// planSchema is the version of the form of a plan that is written down.
const planSchema = "packstone.v1"

// planFile is a plan that is written down.
type planFile struct {
	Schema     string     `json:"schema"`
	Repository string     `json:"repository"`
	Time       time.Time  `json:"time"`
	Grace      string     `json:"grace"`
	Bytes      int64      `json:"bytes"`
	Packs      []planPack `json:"packs"`
}

type planPack struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	Bytes int64  `json:"bytes"`
	Why   string `json:"why"`
}

// ErrNoPlan: a text is no plan.
var ErrNoPlan = errors.New("it is not a plan of packstone prune")

// Encode writes a plan for a repository and a term down, as JSON that a person can read.
func (p *Plan) Encode(repository string, t catalog.Term) ([]byte, error) {
	f := planFile{Schema: planSchema, Repository: repository, Time: t.Now.UTC(), Grace: t.Grace.String(), Bytes: p.Bytes, Packs: []planPack{}}
	for _, pack := range p.Packs {
		f.Packs = append(f.Packs, planPack{pack.Name.String(), string(pack.Kind), pack.Size, pack.Why})
	}
	text, err := json.MarshalIndent(f, "", "  ")
	return append(text, '\n'), err
}

// largestPlan bounds the size of a plan's file, in bytes.
const largestPlan = 1 << 30

// WritePlan writes a plan for a repository and a term to a file; see Encode.
func (p *Plan) WritePlan(name, repository string, t catalog.Term) error {
	text, err := p.Encode(repository, t)
	if err == nil {
		err = os.WriteFile(name, text, 0o666)
	}
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

// ReadPlan reads which packs the plan in a file deletes. read reads a file of at most so many bytes.
// It fails with catalog.ErrMisuse if there is no plan, and with catalog.ErrRefused if that is for
// another repository.
func ReadPlan(name, repository string, read func(name string, most int64) ([]byte, error)) (catalog.PackSet, error) {
	noPlan := catalog.Misuse("%s is not a plan of packstone prune", entry.Printable(name))
	if info, err := os.Stat(name); err == nil && info.Size() > largestPlan {
		return nil, noPlan
	}
	text, err := read(name, largestPlan)
	if err != nil {
		return nil, catalog.Misuse("read the plan: %w", err)
	}
	packs, err := DecodePlan(text, repository)
	switch {
	case errors.Is(err, ErrNoPlan):
		return nil, noPlan
	case err != nil && !errors.Is(err, catalog.ErrRefused):
		return nil, catalog.Misuse("the plan %s: %w", entry.Printable(name), err)
	}
	return packs, err
}

// DecodePlan reads which packs a plan deletes that was written down. It fails with ErrNoPlan if the
// text is none, and with catalog.ErrRefused if it is for another repository.
func DecodePlan(text []byte, repository string) (catalog.PackSet, error) {
	var f planFile
	if err := json.Unmarshal(text, &f); err != nil || f.Schema != planSchema {
		return nil, ErrNoPlan
	}
	if f.Repository != repository {
		return nil, catalog.Refuse("the plan is for repository %s, and this is %s", entry.Printable(f.Repository), repository)
	}
	packs := catalog.PackSet{}
	for _, p := range f.Packs {
		pack, err := archive.ParseName(p.Name)
		if err != nil {
			return nil, err
		}
		packs[pack] = true
	}
	return packs, nil
}
